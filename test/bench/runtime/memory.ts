/** Measures, in a process of its own: forked with one count for each kind of thing, answers with bytes each, and ends. */
import { Runtime, Server } from '../../../node/index.ts'
import { makeLog } from '../../../node/log.ts'
import { realClock, realTimers, Sent } from '../../../transport/index.ts'

/** What the measuring process says. */
export interface Memory {
  readonly bytesPerProcess: number
  readonly bytesPerTimer: number
}

class Idle extends Server {
  override handleCast(): void {}
}

const [processes, timers] = process.argv.slice(2).map(Number) as [number, number]

const runtime = new Runtime({
  node: 'bench',
  creation: 1,
  clock: realClock,
  timers: realTimers,
  log: makeLog('bench', 'silent'),
  routing: {
    cast: () => Sent.ok,
    call: async () => undefined,
    castAll: () => 0,
    join: () => {},
    update: () => {},
    leave: () => {},
    leaveAll: () => {},
    members: () => [],
  },
})

// What the first processes and timers cost beside themselves is not theirs.
for (let i = 0; i < 2_000; i++) runtime.spawn(new Idle()).after(3_600_000, i)

const beforeBytes = usedBytes()
for (let i = 0; i < processes; i++) runtime.spawn(new Idle())
const idleBytes = usedBytes()
const owners = [...runtime.processes()]
const listedBytes = usedBytes()
for (let i = 0; i < timers; i++) owners[i % owners.length]!.after(3_600_000 + (i % 60_000), 'due')
const timedBytes = usedBytes()

process.send!({
  bytesPerProcess: (idleBytes - beforeBytes) / processes,
  bytesPerTimer: (timedBytes - listedBytes) / timers,
} satisfies Memory)
await runtime.stop('done')
process.disconnect()

function usedBytes(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
