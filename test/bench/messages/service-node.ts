/** One node of the messages benchmark: `member` counts and echoes, `sender SECONDS` sends and reports to its parent. */
import { type Node, Sent, Server, startNode } from 'wandist'

const [role, seconds] = [process.argv[2]!, Number(process.argv[3])]
const config = {
  id: 'bench',
  nodes: { member: { mesh: '127.0.0.1:7391' }, sender: { mesh: '127.0.0.1:7392' } },
}
const message = { op: 'move', from: 'alice', to: 'bob', x: 12, y: 3.5 }

class Counter extends Server<'count' | object, object> {
  #count = 0
  override handleCast() {
    this.#count += 1
  }
  override handleCall(asked: 'count' | object) {
    return asked === 'count' ? this.#count : asked
  }
}

const node = await startNode({ name: role, config, secret: 'bench', logLevel: 'silent' })
if (role === 'member') node.spawn(new Counter(), { groups: ['counter'] })
else {
  await node.awaitMember('counter')
  await blast(node, 1)
  const [startCount, startMs] = [await count(node), performance.now()]
  await blast(node, seconds)
  const casts = ((await count(node)) - startCount) / ((performance.now() - startMs) / 1000)
  process.send!({ casts, calls: await callsPerSecond(node) })
}

function blast(node: Node, seconds: number): Promise<void> {
  const endMs = performance.now() + seconds * 1000
  return new Promise(resolve => {
    const turn = () => {
      for (let i = 0; i < 1000; i++) if (node.cast({ group: 'counter' }, message) !== Sent.ok) break
      if (performance.now() < endMs) setImmediate(turn)
      else resolve()
    }
    turn()
  })
}

/** The member's count; a call stands in line behind the casts before it. */
async function count(node: Node): Promise<number> {
  return (await node.call({ group: 'counter' }, 'count', { timeoutMs: 30_000 })) as number
}

async function callsPerSecond(node: Node): Promise<number> {
  let calls = 0
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  const caller = async () => {
    while (performance.now() < endMs) {
      await node.call({ group: 'counter' }, message)
      calls += 1
    }
  }
  await Promise.all(Array.from({ length: 64 }, caller))
  return calls / ((performance.now() - startMs) / 1000)
}
