/** One end of one system in a process of its own: `end.ts SYSTEM source|sink AT`; does what its parent orders. */
import { driveCalls } from './cases/call.ts'
import { driveOneway } from './cases/oneway.ts'
import { driveSends } from './cases/send-cost.ts'
import type { Ends, Sink, Source } from './ends.ts'
import type { Load } from './parameters.ts'

export type Order =
  | { readonly do: 'blast'; readonly bytes: number }
  | { readonly do: 'stop' }
  | { readonly do: 'mark' }
  | { readonly do: 'call'; readonly load: Load; readonly seconds: number }
  | { readonly do: 'cost'; readonly seconds: number }

/** Answer to `mark`: how much had arrived when. */
export interface Mark {
  readonly received: number
  readonly nowMs: number
}

/** Answer to `call`, us. */
export interface Times {
  readonly p50: number
  readonly p99: number
}

const [system, role, at] = process.argv.slice(2) as [string, 'source' | 'sink', string]
const { ends } = (await import(`./systems/${system}.ts`)) as { ends: Ends }
const end = await ends[role](at)
let blasting: AbortController | undefined
let blast: Promise<void> | undefined

process.on('message', async (order: Order) => process.send!(await obey(order)))
process.on('disconnect', () => process.exit())
process.send!('ready')

async function obey(order: Order): Promise<object> {
  switch (order.do) {
    case 'mark':
      return { received: (end as Sink).received(), nowMs: performance.now() } satisfies Mark
    case 'call':
      return driveCalls(end as Source, order.load, order.seconds) satisfies Promise<Times>
    case 'cost':
      return driveSends(end as Source, order.seconds)
    case 'blast':
      blasting = new AbortController()
      blast = driveOneway(end as Source, order.bytes, blasting.signal)
      return {}
    case 'stop':
      blasting!.abort()
      await blast
      return {}
  }
}
