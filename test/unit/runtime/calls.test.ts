import { describe, expect, expectTypeOf, test } from 'vitest'
import { type Ask, declareService, type Handle, handle, type Sender } from '../../../node/runtime/handle.ts'
import { type Caller, later, Server } from '../../../node/runtime/server.ts'
import { Sent } from '../../../transport/index.ts'
import { call, makeRuntime } from './harness.ts'

/** Keeps its callers, and with them their signals. */
class Keeper extends Server<string> {
  readonly callers: Caller[] = []
  override handleCall(_message: string, caller: Caller) {
    this.callers.push(caller)
    return later
  }
}

function spawn() {
  const { runtime } = makeRuntime()
  const server = new Keeper()
  return { runtime, server, process: runtime.spawn(server), nowMs: () => runtime.clock.nowMs() }
}

describe('a call', () => {
  test('is not begun when its caller has given up, and counted', async () => {
    const { runtime, server, process, nowMs } = spawn()
    void call(runtime, process.self, 'late', nowMs() - 1)
    void call(runtime, process.self, 'in time', nowMs() + 60_000)
    await expect.poll(() => server.callers).toHaveLength(1)
    expect([runtime.stats().expired, process.handled]).toEqual([1, 2])
  })

  test('carries its deadline, and a signal that is aborted when it has passed', async () => {
    const { runtime, server, process, nowMs } = spawn()
    const aborted = Promise.withResolvers<{ atMs: number; why: unknown }>()
    server.handleCall = (message, caller) => {
      const { signal } = caller
      signal.addEventListener('abort', () => aborted.resolve({ atMs: nowMs(), why: signal.reason }))
      return Keeper.prototype.handleCall.call(server, message, caller)
    }
    const deadlineMs = nowMs() + 30
    void call(runtime, process.self, 'slow', deadlineMs)
    const { atMs, why } = await aborted.promise
    expect(server.callers[0]!.deadlineMs).toBe(deadlineMs)
    expect(atMs).toBeGreaterThanOrEqual(deadlineMs)
    expect(why).toEqual(new Error('the caller has given up'))
  })

  test('that is answered has no signal and no timer left to fire', async () => {
    const { runtime, server, process, nowMs } = spawn()
    const answer = call(runtime, process.self, 'quick', nowMs() + 60_000)
    await expect.poll(() => server.callers).toHaveLength(1)
    const [caller] = server.callers
    const { signal } = caller!
    expect(runtime.stats().timers).toBe(1)
    caller!.reply('done')
    expect(await answer).toEqual({ reply: 'done' })
    expect(runtime.stats().timers).toBe(0)
    await process.end('stop')
    expect(signal.aborted).toBe(false)
  })

  test('is aborted when its process ends, so that a long handler need not be waited for', async () => {
    const { runtime, process } = spawn()
    class Long extends Server {
      override async handleCall(_message: unknown, { signal }: Caller) {
        await new Promise(resolve => signal.addEventListener('abort', resolve))
        return (signal.reason as Error).message
      }
    }
    const long = runtime.spawn(new Long())
    const answer = call(runtime, long.self, 'go')
    await expect.poll(() => long.handled).toBe(1)
    await long.end('stop')
    expect(await answer).toEqual({ reply: 'the process has ended' })
    expect(process.ended).toBe(false)
  })

  test('that nobody looks at the signal of costs no timer', async () => {
    const { runtime, server, process, nowMs } = spawn()
    void call(runtime, process.self, 'plain', nowMs() + 60_000)
    await expect.poll(() => server.callers).toHaveLength(1)
    expect(runtime.stats().timers).toBe(0)
  })
})

type CounterCall = Ask<{ kind: 'get' }, number> | Ask<{ kind: 'name'; upper: boolean }, string>
interface CounterCast {
  readonly kind: 'add'
  readonly by: number
}

class Counter extends Server<CounterCall, CounterCast> {
  override handleCall(message: CounterCall) {
    return message.kind === 'get' ? 1 : 'counter'
  }
}

describe('a handle', () => {
  const sent: unknown[] = []
  const sender: Sender = {
    cast: (target, message) => {
      sent.push(target, message)
      return Sent.ok
    },
    call: async (target, message) => [target, message],
  }

  test('takes what its server takes, answers with what it answers, and nothing else', () => {
    const counter = handle<Counter>(sender, { group: 'counters' })
    expectTypeOf(counter).toEqualTypeOf<Handle<CounterCall, CounterCast>>()
    expectTypeOf(counter.call({ kind: 'get' })).resolves.toEqualTypeOf<number>()
    expectTypeOf(counter.call({ kind: 'name', upper: true })).resolves.toEqualTypeOf<string>()
    // @ts-expect-error a call that the server does not take
    void counter.call({ kind: 'drop' })
    // @ts-expect-error a field is missing
    void counter.call({ kind: 'name' })
    // @ts-expect-error a call is no cast
    counter.cast({ kind: 'get' })
    // @ts-expect-error a field of the wrong type
    counter.cast({ kind: 'add', by: 'one' })
    expect(counter.cast({ kind: 'add', by: 1 })).toBe(Sent.ok)
  })

  test('of a declared service leads to its group, or to a key’s partition', async () => {
    const counters = declareService<Counter>('counters')
    const [target, message] = (await counters.by(sender).call({ kind: 'get' })) as unknown as unknown[]
    expect([target, message]).toEqual([{ group: 'counters' }, { kind: 'get' }])
    expect(counters.by(sender, 'bob').target).toEqual({ service: 'counters', key: 'bob' })
    // @ts-expect-error a declared service is as strict
    counters.by(sender).cast({ kind: 'remove' })
  })
})
