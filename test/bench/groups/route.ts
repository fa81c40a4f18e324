/** route: which process a message for a key goes to, asked of the router of one node; and a Map that knows it, as the ceiling. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { buildPartitionTable, Pid, Registry, Router } from '../../../routing/index.ts'
import { realPorts } from '../../../transport/index.ts'
import { keys, partitions } from './parameters.ts'

const service = 'bench'
const node = 'owner'

/** Decisions per second of the router. */
export async function measureRoute(seconds: number): Promise<number> {
  const tables = new Map([[service, buildPartitionTable(service, { partitions, islands: { one: [node] } })]])
  const here = { node, creation: 1, ports: realPorts }
  const registry = new Registry({
    ...here,
    place: () => ({ cluster: 'main', datacenter: 'dc1' }),
    published: () => false,
  })
  const router = new Router({
    ...here,
    registry,
    linkTo: () => undefined,
    deliver: () => false,
    services: () => tables,
  })
  for (let partition = 0; partition < partitions; partition++)
    registry.join(`${service}/${partition}`, new Pid(node, 1, 0, partition + 1))
  const rate = await decisionRate(key => router.choose({ service, key }), seconds)
  router.stop()
  registry.stop()
  return rate
}

/** Lookups per second of a bare Map from keys to processes. */
export async function measureMap(seconds: number): Promise<number> {
  const pids = new Map(keyNames().map((key, index) => [key, new Pid(node, 1, 0, index)]))
  return await decisionRate(key => pids.get(key), seconds)
}

async function decisionRate(choose: (key: string) => Pid | undefined, seconds: number): Promise<number> {
  const names = keyNames()
  const chooseFor = async (ms: number) => {
    const startMs = performance.now()
    let decided = 0
    for (; performance.now() < startMs + ms; decided += keys) {
      for (const key of names) if (choose(key) === undefined) throw new Error(`nobody has ${key}`)
    }
    await nextTurn()
    return (decided / (performance.now() - startMs)) * 1000
  }
  await chooseFor(1000)
  return await chooseFor(seconds * 1000)
}

function keyNames(): readonly string[] {
  return Array.from({ length: keys }, (_, index) => `user-${index}`)
}
