/** A runtime without a mesh: local processes only, real timers, and a log that stays silent. */
import { makeLog } from '../../../node/log.ts'
import type { Routing } from '../../../node/runtime/process.ts'
import { Runtime } from '../../../node/runtime/runtime.ts'
import type { Envelope, Pid, Target } from '../../../routing/index.ts'
import { realClock, realTimers, Sent } from '../../../transport/index.ts'

/** What was joined, and everything that processes sent, in order. */
export interface Harness {
  readonly runtime: Runtime
  readonly groups: Map<string, Pid[]>
  readonly sent: { target: Target; message: unknown }[]
}

export function makeRuntime(): Harness {
  const groups = new Map<string, Pid[]>()
  const sent: Harness['sent'] = []
  const routing: Routing = {
    cast: (target, message) => {
      sent.push({ target, message })
      return Sent.ok
    },
    call: async () => undefined,
    castAll: () => 0,
    update: () => {},
    join: (group, pid) => void groups.set(group, [...(groups.get(group) ?? []), pid]),
    leave: (group, pid) =>
      void groups.set(
        group,
        (groups.get(group) ?? []).filter(other => other !== pid),
      ),
    leaveAll: pid => {
      for (const [group, pids] of groups)
        groups.set(
          group,
          pids.filter(other => other !== pid),
        )
    },
    members: group => groups.get(group) ?? [],
  }
  const log = makeLog('test', 'silent')
  const runtime = new Runtime({
    node: 'here',
    creation: 1,
    clock: realClock,
    timers: realTimers,
    routing,
    log,
  })
  return { runtime, groups, sent }
}

/** What became of a call. */
export interface Answer {
  readonly reply?: unknown
  readonly refusal?: string
  readonly detail?: string | undefined
}

/** Hands a process a cast; false when there is no such process. */
export function cast(runtime: Runtime, pid: Pid, message: unknown): boolean {
  return runtime.deliver(
    pid.index,
    envelope(false, message, () => {}),
  )
}

/** Hands a process a call; resolves with its answer. */
export function call(
  runtime: Runtime,
  pid: Pid,
  message: unknown,
  deadlineMs = Number.POSITIVE_INFINITY,
): Promise<Answer> {
  return new Promise(resolve => {
    const delivered = runtime.deliver(pid.index, envelope(true, message, resolve, deadlineMs))
    if (!delivered) resolve({ refusal: 'noprocess' })
  })
}

function envelope(
  isCall: boolean,
  message: unknown,
  answer: (answer: Answer) => void,
  deadlineMs = Number.POSITIVE_INFINITY,
): Envelope {
  return {
    isCall,
    message,
    from: undefined,
    fromNode: 'there',
    deadlineMs,
    reply: reply => answer({ reply }),
    refuse: (refusal, detail) => answer({ refusal, detail }),
  }
}
