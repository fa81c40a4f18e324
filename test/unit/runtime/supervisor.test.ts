import { describe, expect, test } from 'vitest'
import type { ProcessLeaf } from '../../../node/runtime/process-tree.ts'
import { Server } from '../../../node/runtime/server.ts'
import { Supervisor, type SupervisorOptions } from '../../../node/runtime/supervisor.ts'
import { call, cast, makeRuntime } from './harness.ts'

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

/** Says on a common trace when it starts and ends, and falls when cast to. */
class Traced extends Server {
  readonly #name: string
  readonly #trace: string[]
  constructor(name: string, trace: string[]) {
    super()
    this.#name = name
    this.#trace = trace
  }
  override init() {
    this.#trace.push(`+${this.#name}`)
  }
  override handleCast(): never {
    throw new Error(`${this.#name} fell`)
  }
  override async terminate() {
    // Whoever ends the next one before this is done is seen on the trace.
    await new Promise(resolve => setImmediate(resolve))
    this.#trace.push(`-${this.#name}`)
  }
}

function family(options: Partial<SupervisorOptions> & { names?: string[] }) {
  const { runtime } = makeRuntime()
  const trace: string[] = []
  const failing: string[] = []
  const onFailing = (name: string, reason: string) => void failing.push(`${name}: ${reason}`)
  const top = new Supervisor(runtime, { restartsMax: 3, periodMs: 60_000, onFailing, ...options })
  const add = (to: Supervisor, name: string) => void to.start(() => new Traced(name, trace), { name })
  for (const name of options.names ?? ['a', 'b', 'c']) add(top, name)
  const fall = (name: string) => cast(runtime, runtime.whereis(name)!.self, 'fall')
  /** What has happened since it was last asked, once that is as long as expected. */
  const happened = async (expected: string[]) => {
    await expect.poll(() => trace).toEqual(expected)
    trace.length = 0
  }
  return { runtime, top, add, fall, trace, happened, failing }
}

describe('a supervisor of several that belong together', () => {
  test('starts in order, and stops in the opposite order, one after the other', async () => {
    const { top, happened } = family({})
    await happened(['+a', '+b', '+c'])
    await top.stop('stop')
    await happened(['-c', '-b', '-a'])
    expect(top.processes).toEqual([])
  })

  test('rest-for-one: ends what was started after the failed one, and starts these again, in order', async () => {
    const { fall, happened } = family({ strategy: 'rest-for-one' })
    await happened(['+a', '+b', '+c'])
    fall('b')
    await happened(['-b', '-c', '+b', '+c'])
  })

  test('one-for-all: ends all, and starts all again, in order', async () => {
    const { fall, happened } = family({ strategy: 'one-for-all' })
    await happened(['+a', '+b', '+c'])
    fall('b')
    await happened(['-b', '-c', '-a', '+a', '+b', '+c'])
  })

  test('takes a second failure into the restart that is under way, and each runs once', async () => {
    const { runtime, top, fall, trace } = family({ strategy: 'one-for-all' })
    fall('a')
    fall('c')
    const restarts = () => (top.tree('top').children as ProcessLeaf[]).map(child => child.restarts)
    await expect.poll(() => Math.min(...restarts())).toBeGreaterThan(0)
    await expect.poll(() => top.processes.length).toBe(3)
    expect(runtime.stats().processes).toBe(3)
    const ends = trace.filter(step => step.startsWith('-')).length
    expect(trace.length - ends).toBe(ends + 3)
    expect(trace.slice(-3)).toEqual(['+a', '+b', '+c'])
  })

  test('waits for one that terminates slowly, though another fails meanwhile', async () => {
    const { runtime, top, fall, trace, failing } = family({ strategy: 'rest-for-one' })
    const slow = Promise.withResolvers<void>()
    const c = runtime.whereis('c')!.server
    c.terminate = async () => {
      await slow.promise
      trace.push('-c')
    }
    trace.length = 0
    fall('b')
    await expect.poll(() => trace).toEqual(['-b'])
    fall('a')
    await expect.poll(() => trace).toEqual(['-b', '-a'])
    slow.resolve()
    await expect.poll(() => top.processes.length).toBe(3)
    expect(trace).toEqual(['-b', '-a', '-c', '+a', '+b', '+c'])
    expect(failing).toEqual([])
  })

  test('leaves all of them alone for a while when together they fail too often', async () => {
    const { runtime, top, fall, failing } = family({
      strategy: 'one-for-all',
      restartsMax: 1,
      periodMs: 100,
    })
    fall('a')
    await expect.poll(() => top.tree('top').children[0]).toMatchObject({ restarts: 1 })
    await expect.poll(() => top.processes.length).toBe(3)
    fall('c')
    await expect.poll(() => failing).toEqual(['c: c fell'])
    await expect.poll(() => runtime.stats().processes, { interval: 5 }).toBe(0)
    await expect.poll(() => top.processes.length).toBe(3)
  })
})

describe('a supervisor under a supervisor', () => {
  test('that gives up ends its own, fails as one child, and is started again with all of them', async () => {
    const { top, add, fall, happened, failing } = family({ strategy: 'rest-for-one', names: ['a'] })
    const nested = top.supervise('pair', { restartsMax: 0, periodMs: 60_000 })
    add(nested, 'x')
    add(nested, 'y')
    add(top, 'z')
    await happened(['+a', '+x', '+y', '+z'])
    fall('x')
    await happened(['-x', '-y', '-z', '+x', '+y', '+z'])
    expect(failing).toEqual([])
  })

  test('that gives up is started again under one that restarts each alone', async () => {
    const { top, add, fall, happened } = family({ names: ['a'] })
    const nested = top.supervise('pair', { restartsMax: 0, periodMs: 60_000 })
    add(nested, 'x')
    add(nested, 'y')
    await happened(['+a', '+x', '+y'])
    fall('x')
    await happened(['-x', '-y', '+x', '+y'])
  })

  test('restarts what it can itself, and nobody else notices', async () => {
    const { top, add, fall, happened } = family({ strategy: 'one-for-all', names: ['a'] })
    const nested = top.supervise('pair', { restartsMax: 1, periodMs: 60_000 })
    add(nested, 'x')
    await happened(['+a', '+x'])
    fall('x')
    await happened(['-x', '+x'])
  })

  test('stops with the one above, in its place', async () => {
    const { top, add, happened } = family({ names: ['a'] })
    const nested = top.supervise('pair', { restartsMax: 1, periodMs: 60_000 })
    add(top, 'z')
    add(nested, 'x')
    add(nested, 'y')
    await happened(['+a', '+z', '+x', '+y'])
    await top.stop('stop')
    await happened(['-z', '-y', '-x', '-a'])
  })

  test('is a branch of the tree, in the order of the starts', async () => {
    const { runtime, top, add } = family({ names: ['a'] })
    const nested = top.supervise('pair', { strategy: 'one-for-all', restartsMax: 1, periodMs: 60_000 })
    add(nested, 'x')
    const leaf = { kind: 'process', queueLength: 0, handled: 0, restarts: 0 }
    const pid = (name: string) => runtime.whereis(name)!.self.toString()
    expect(top.tree('top')).toEqual({
      kind: 'supervisor',
      name: 'top',
      strategy: 'one-for-one',
      more: 0,
      children: [
        { ...leaf, name: 'a', pid: pid('a') },
        {
          kind: 'supervisor',
          name: 'pair',
          strategy: 'one-for-all',
          more: 0,
          children: [{ ...leaf, name: 'x', pid: pid('x') }],
        },
      ],
    })
  })
})
