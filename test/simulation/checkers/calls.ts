/** Every call ends exactly once, by its deadline, with the answer to its own question; it is asked at most once. */
import { type Observer, type SimCall, Violation } from '../observer.ts'
import type { SimNode } from '../world/node.ts'

/** How late a deadline may be noticed: a sweep, and a turn. */
const lateMsMax = 50
/** What the callers of these worlds may hear. */
const codes = ['timeout', 'noconnect', 'nosuspend', 'no-member', 'noprocess', 'overload', 'failed', 'stopped']

export function callsChecker(): Observer {
  const name = 'a call ends once'
  const open = new Map<number, SimCall>()
  const asked = new Set<number>()
  const resumeMs = new Map<SimNode, number>()
  return {
    name,
    called: call => void open.set(call.id, call),
    asked: (node, process, id) => {
      if (asked.has(id)) throw new Violation(name, `${process} at ${node.name} is asked ${id} again`)
      asked.add(id)
    },
    callEnded: ({ id, value }, end) => {
      if (!open.delete(id)) throw new Violation(name, `call ${id} ends again`)
      if ('value' in end && end.value !== value)
        throw new Violation(name, `call ${id} is answered with ${end.value}, not ${value}`)
      if ('value' in end && !asked.has(id)) throw new Violation(name, `call ${id} is answered by nobody`)
      if ('code' in end && !codes.includes(end.code))
        throw new Violation(name, `call ${id} ends as ${end.code}`)
    },
    ended: node => {
      // With its node a caller is gone.
      for (const [id, call] of open) if (call.node === node) open.delete(id)
    },
    paused: (node, untilMs) => void resumeMs.set(node, untilMs),
    look: world => {
      for (const { id, node, deadlineMs } of open.values()) {
        const dueMs = Math.max(deadlineMs, resumeMs.get(node) ?? 0) + lateMsMax
        if (world.nowMs > dueMs)
          throw new Violation(
            name,
            `call ${id} of ${node.name} was to end by ${deadlineMs} and has not at ${world.nowMs}`,
          )
      }
    },
    lacking: world => {
      for (const { id, node } of open.values())
        if (world.isCore(node.name)) return `call ${id} of ${node.name} is open`
      return undefined
    },
  }
}
