import { describe, expect, test } from 'vitest'
import { Server } from '../../../node/runtime/server.ts'
import { Supervisor } from '../../../node/runtime/supervisor.ts'
import { call, makeRuntime } from './harness.ts'

/** Says how often it has been asked, and falls over when asked to. */
class Child extends Server<'count' | 'fall' | 'leave'> {
  #asked = 0
  override handleCall(message: 'count' | 'fall' | 'leave') {
    if (message === 'fall') throw new Error('fell')
    if (message === 'leave') this.context.exit('normal')
    this.#asked += 1
    return this.#asked
  }
}

function supervise(restartsMax: number) {
  const { runtime, groups } = makeRuntime()
  const givenUp: string[] = []
  const supervisor = new Supervisor(runtime, {
    restartsMax,
    periodMs: 60_000,
    onGiveUp: reason => givenUp.push(reason),
  })
  return { runtime, groups, supervisor, givenUp }
}

describe('a supervisor', () => {
  test('restarts a child that fails, with a fresh state, in its groups', async () => {
    const { runtime, groups, supervisor } = supervise(3)
    const first = supervisor.start(() => new Child(), { name: 'child', groups: ['children'] })
    expect(await call(runtime, first.self, 'count')).toEqual({ reply: 1 })
    await call(runtime, first.self, 'fall')
    await expect.poll(() => runtime.whereis('child')?.self.index).toBe(first.self.index + 1)
    await expect.poll(() => groups.get('children')?.length).toBe(1)
    const second = runtime.whereis('child')!
    expect(await call(runtime, second.self, 'count')).toEqual({ reply: 1 })
  })

  test('leaves a child that ended by itself in peace', async () => {
    const { runtime, supervisor } = supervise(3)
    const child = supervisor.start(() => new Child())
    await call(runtime, child.self, 'leave')
    await expect.poll(() => supervisor.processes).toEqual([])
    expect(runtime.stats().processes).toBe(0)
  })

  test('gives up when restarting does not help, and ends the other children', async () => {
    const { runtime, supervisor, givenUp } = supervise(2)
    supervisor.start(() => new Child(), { name: 'healthy' })
    supervisor.start(() => new Child(), { name: 'sick' })
    for (let i = 0; i < 3; i++) {
      await expect.poll(() => runtime.whereis('sick')).toBeDefined()
      await call(runtime, runtime.whereis('sick')!.self, 'fall')
    }
    await expect.poll(() => givenUp).toEqual(['fell'])
    expect(runtime.whereis('healthy')).toBeUndefined()
  })
})
