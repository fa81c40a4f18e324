import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Caller, later, Server } from '../../../node/runtime/server.ts'
import { call, cast, makeRuntime } from './harness.ts'

/** Remembers what it was told, and answers with how much that is. */
class Notes extends Server<string, string, string> {
  readonly notes: string[] = []
  override handleCast(note: string) {
    this.notes.push(note)
  }
  override handleCall(note: string) {
    this.notes.push(note)
    return this.notes.length
  }
  override handleInfo(note: string) {
    this.notes.push(note)
  }
}

describe('a process', () => {
  test('handles casts and calls in the order in which they came', async () => {
    const { runtime } = makeRuntime()
    const notes = new Notes()
    const { self } = runtime.spawn(notes)
    cast(runtime, self, 'a')
    const answer = call(runtime, self, 'b')
    cast(runtime, self, 'c')
    expect(await answer).toEqual({ reply: 2 })
    await expect.poll(() => notes.notes).toEqual(['a', 'b', 'c'])
  })

  test('handles one message at a time, though a handler waits', async () => {
    const { runtime } = makeRuntime()
    const trace: string[] = []
    class Slow extends Server<string> {
      override async handleCall(name: string) {
        trace.push(`${name} in`)
        await sleep(5)
        trace.push(`${name} out`)
        return name
      }
    }
    const { self } = runtime.spawn(new Slow())
    await Promise.all([call(runtime, self, 'a'), call(runtime, self, 'b')])
    expect(trace).toEqual(['a in', 'a out', 'b in', 'b out'])
  })

  test('handles nothing before init has run', async () => {
    const { runtime } = makeRuntime()
    class Loading extends Notes {
      override async init() {
        await sleep(5)
        this.notes.push('loaded')
      }
    }
    const server = new Loading()
    const { self } = runtime.spawn(server)
    expect(await call(runtime, self, 'first')).toEqual({ reply: 2 })
    expect(server.notes).toEqual(['loaded', 'first'])
  })

  test('may answer a call later, and goes on meanwhile', async () => {
    const { runtime } = makeRuntime()
    class Deferred extends Server<string> {
      #waiting: Caller[] = []
      override handleCall(message: string, caller: Caller) {
        if (message === 'release') {
          for (const waiting of this.#waiting) waiting.reply('released')
          return this.#waiting.length
        }
        this.#waiting.push(caller)
        return later
      }
    }
    const { self } = runtime.spawn(new Deferred())
    const first = call(runtime, self, 'wait')
    expect(await call(runtime, self, 'release')).toEqual({ reply: 1 })
    expect(await first).toEqual({ reply: 'released' })
  })

  test('that fails ends alone: the caller is told, the calls behind it too, its groups are left', async () => {
    const { runtime, groups } = makeRuntime()
    class Fragile extends Server<string> {
      override handleCall(): never {
        throw new Error('dropped it')
      }
    }
    const fragile = runtime.spawn(new Fragile(), { groups: ['glass'] })
    const other = runtime.spawn(new Notes())
    await expect.poll(() => groups.get('glass')?.length).toBe(1)
    const [first, second] = await Promise.all([
      call(runtime, fragile.self, 'a'),
      call(runtime, fragile.self, 'b'),
    ])
    expect(first).toEqual({ refusal: 'failed', detail: 'dropped it' })
    expect(second).toEqual({ refusal: 'noprocess', detail: 'dropped it' })
    expect(groups.get('glass')).toEqual([])
    expect(await call(runtime, fragile.self, 'c')).toEqual({ refusal: 'noprocess' })
    expect(await call(runtime, other.self, 'still here')).toEqual({ reply: 1 })
  })

  test('refuses what its queue cannot hold', async () => {
    const { runtime } = makeRuntime()
    const { self } = runtime.spawn(new Notes(), { queueMessagesMax: 2 })
    const answers = await Promise.all([1, 2, 3].map(n => call(runtime, self, String(n))))
    expect(answers.map(answer => answer.refusal)).toEqual([undefined, undefined, 'overload'])
    expect(runtime.stats().refused).toBe(1)
  })

  test('hears what it tells itself, however full its queue is', async () => {
    const { runtime } = makeRuntime()
    const server = new Notes()
    const { self } = runtime.spawn(server, { queueMessagesMax: 1 })
    expect(cast(runtime, self, 'first')).toBe(true)
    expect(cast(runtime, self, 'too many')).toBe(false)
    server.context.tell('own')
    await expect.poll(() => server.notes).toEqual(['first', 'own'])
  })

  test('that is flooded does not keep the others waiting', async () => {
    const { runtime } = makeRuntime()
    const flooded = runtime.spawn(new Notes())
    const quiet = runtime.spawn(new Notes())
    const trace: string[] = []
    for (let i = 0; i < 10_000; i++) cast(runtime, flooded.self, 'flood')
    const last = call(runtime, flooded.self, 'last').then(() => trace.push('flooded'))
    await call(runtime, quiet.self, 'one').then(() => trace.push('quiet'))
    await last
    expect(trace).toEqual(['quiet', 'flooded'])
  })

  test('forgets its timers when it ends, and ends once', async () => {
    const { runtime } = makeRuntime()
    const ends: string[] = []
    class Timed extends Notes {
      override init() {
        this.context.after(5, 'too late')
      }
      override terminate(reason: string) {
        ends.push(reason)
      }
    }
    const server = new Timed()
    const process = runtime.spawn(server)
    await Promise.all([process.end('stop'), process.end('again')])
    await sleep(20)
    expect(ends).toEqual(['stop'])
    expect(server.notes).toEqual([])
  })

  test('that is ended from outside lets the running handler finish before it terminates', async () => {
    const { runtime } = makeRuntime()
    const trace: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    class Busy extends Server {
      override async handleCast() {
        trace.push('begins')
        await promise
        trace.push('ends')
      }
      override terminate() {
        trace.push('terminates')
      }
    }
    const process = runtime.spawn(new Busy())
    cast(runtime, process.self, 'go')
    await expect.poll(() => trace).toEqual(['begins'])
    const ended = process.end('stop')
    resolve()
    await ended
    expect(trace).toEqual(['begins', 'ends', 'terminates'])
  })

  test('may end itself from a handler, after what it was doing', async () => {
    const { runtime } = makeRuntime()
    class Once extends Server<string> {
      override handleCall() {
        this.context.exit('normal')
        return 'bye'
      }
    }
    const process = runtime.spawn(new Once())
    const ended = new Promise(resolve => runtime.monitor(process, resolve))
    expect(await call(runtime, process.self, 'go')).toEqual({ reply: 'bye' })
    expect(await ended).toBe('normal')
    expect(runtime.process(process.self.index)).toBeUndefined()
  })

  test('may not take a name that is taken', () => {
    const { runtime } = makeRuntime()
    runtime.spawn(new Notes(), { name: 'notes' })
    expect(() => runtime.spawn(new Notes(), { name: 'notes' })).toThrow('name is taken: "notes"')
  })
})
