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

function supervise(restartsMax: number, periodMs = 60_000) {
  const { runtime, groups } = makeRuntime()
  const failing: string[] = []
  const supervisor = new Supervisor(runtime, {
    restartsMax,
    periodMs,
    onFailing: (name, reason) => failing.push(`${name}: ${reason}`),
  })
  return { runtime, groups, supervisor, failing }
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

  test('leaves a child that keeps failing alone for a while, and the others live on', async () => {
    const { runtime, supervisor, failing } = supervise(2, 100)
    supervisor.start(() => new Child(), { name: 'healthy' })
    supervisor.start(() => new Child(), { name: 'sick' })
    for (let i = 0; i < 3; i++) {
      await expect.poll(() => runtime.whereis('sick')).toBeDefined()
      await call(runtime, runtime.whereis('sick')!.self, 'fall')
    }
    await expect.poll(() => failing).toEqual(['sick: fell'])
    expect(runtime.whereis('healthy')).toBeDefined()
    await expect.poll(() => runtime.whereis('sick')).toBeDefined()
  })

  test('restarts a child whatever the text of its error', async () => {
    class Misleading extends Server {
      override handleCall(): never {
        throw new Error('normal')
      }
    }
    const { runtime, supervisor } = supervise(3)
    const { self } = supervisor.start(() => new Misleading(), { name: 'misleading' })
    await call(runtime, self, 'go')
    await expect.poll(() => runtime.whereis('misleading')?.self.index).toBe(self.index + 1)
  })

  test('takes a restart that throws for a child that failed', async () => {
    const { runtime, supervisor, failing } = supervise(1)
    let made = 0
    const make = () => {
      made += 1
      if (made > 1) throw new Error('cannot be made')
      return new Child()
    }
    const { self } = supervisor.start(make, { name: 'once' })
    await call(runtime, self, 'fall')
    await expect.poll(() => failing).toEqual(['once: cannot be made'])
  })
})
