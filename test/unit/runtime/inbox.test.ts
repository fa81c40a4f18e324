import { describe, expect, test } from 'vitest'
import type { Down } from '../../../node/runtime/info.ts'
import type { SpawnOptions } from '../../../node/runtime/runtime.ts'
import { Server } from '../../../node/runtime/server.ts'
import { Pid } from '../../../routing/index.ts'
import { Sent } from '../../../transport/index.ts'
import { call, cast, makeRuntime } from './harness.ts'

/** Remembers what it was told, in order. */
class Notes extends Server<string, string, string | Down> {
  readonly notes: string[] = []
  override handleCast(note: string) {
    this.notes.push(note)
  }
  override handleCall(note: string) {
    this.notes.push(note)
    return note
  }
  override handleInfo(info: string | Down) {
    this.notes.push(typeof info === 'string' ? info : `down ${info.reason}`)
  }
}

function spawn(options: SpawnOptions = {}) {
  const { runtime } = makeRuntime()
  const server = new Notes()
  const process = runtime.spawn(server, options)
  const handled = () => expect.poll(() => [process.queueLength, server.notes])
  return { runtime, server, process, handled }
}

describe('a full queue', () => {
  test('that refuses tells the sender, and counts', async () => {
    const { runtime, process, handled } = spawn({ queueMessagesMax: 2 })
    expect(['a', 'b', 'c'].map(note => cast(runtime, process.self, note))).toEqual([true, true, false])
    await handled().toEqual([0, ['a', 'b']])
    expect([process.refused, process.dropped, runtime.stats().refused]).toEqual([1, 0, 1])
  })

  test('that drops the newest takes it and throws it away; whoever waits for an answer is told', async () => {
    const { runtime, process, handled } = spawn({ queueMessagesMax: 1, overflow: 'drop-newest' })
    cast(runtime, process.self, 'a')
    expect(cast(runtime, process.self, 'b')).toBe(true)
    expect(await call(runtime, process.self, 'c')).toMatchObject({ refusal: 'overload' })
    await handled().toEqual([0, ['a']])
    expect([process.refused, process.dropped, runtime.stats().dropped]).toEqual([0, 2, 2])
  })

  test('that drops the oldest keeps the latest, and what the process told itself', async () => {
    const { runtime, process, server, handled } = spawn({ queueMessagesMax: 3, overflow: 'drop-oldest' })
    server.context.tell('own')
    const first = call(runtime, process.self, 'first')
    for (const note of ['a', 'b', 'c']) expect(cast(runtime, process.self, note)).toBe(true)
    expect(await first).toMatchObject({ refusal: 'overload' })
    await handled().toEqual([0, ['own', 'b', 'c']])
    expect(process.dropped).toBe(2)
  })

  test('of nothing but its own keeps that, and drops the newest', async () => {
    const { runtime, process, server, handled } = spawn({ queueMessagesMax: 1, overflow: 'drop-oldest' })
    server.context.tell('own')
    cast(runtime, process.self, 'a')
    await handled().toEqual([0, ['own']])
    expect(process.dropped).toBe(1)
  })
})

describe('a process', () => {
  test('handles what was put at the head next, within its bound', async () => {
    const { runtime, process, server, handled } = spawn({ name: 'notes', queueMessagesMax: 3 })
    cast(runtime, process.self, 'a')
    expect(server.context.prepend(process.self, 'first')).toBe(Sent.ok)
    expect(runtime.prepend('notes', 'before that')).toBe(Sent.ok)
    expect(server.context.prepend('notes', 'too many')).toBe(Sent.nosuspend)
    expect(server.context.prepend('nobody', 'lost')).toBe(Sent.noconnect)
    expect(server.context.prepend(new Pid('elsewhere', 1, 0, process.self.index), 'x')).toBe(Sent.noconnect)
    await handled().toEqual([0, ['before that', 'first', 'a']])
  })

  test('throws away what waits, and keeps what it told itself', async () => {
    const { runtime, process, server, handled } = spawn()
    cast(runtime, process.self, 'a')
    server.context.tell('own')
    const waiting = call(runtime, process.self, 'b')
    expect(server.context.flush()).toBe(2)
    expect(await waiting).toMatchObject({ refusal: 'overload' })
    await handled().toEqual([0, ['own']])
    expect([process.dropped, server.context.flush()]).toEqual([2, 0])
  })

  test('hears of timers and ends before what others sent', async () => {
    const { runtime, process, server, handled } = spawn()
    const other = runtime.spawn(new Notes())
    server.context.monitor(other.self)
    const timer = Promise.withResolvers<void>()
    server.handleInfo = info => {
      Notes.prototype.handleInfo.call(server, info)
      if (info === 'timer') timer.resolve()
    }
    // A handler that runs keeps all others waiting until both have come.
    const busy = Promise.withResolvers<void>()
    server.handleCast = async note => {
      server.notes.push(note)
      if (note === 'busy') await busy.promise
    }
    cast(runtime, process.self, 'busy')
    await expect.poll(() => server.notes).toEqual(['busy'])
    cast(runtime, process.self, 'ordinary')
    server.context.after(1, 'timer')
    await other.end('done')
    await expect.poll(() => process.queueLength).toBe(3)
    busy.resolve()
    await timer.promise
    await handled().toEqual([0, ['busy', 'down done', 'timer', 'ordinary']])
  })

  test('hears exactly once of an end, with its reason, though it was gone before anybody asked', async () => {
    const { runtime, server, handled } = spawn()
    class Fragile extends Server {
      override handleCast(): never {
        throw new Error('dropped it')
      }
    }
    const fragile = runtime.spawn(new Fragile())
    server.context.monitor(fragile.self)
    cast(runtime, fragile.self, 'go')
    await handled().toEqual([0, ['down dropped it']])
    server.context.monitor(fragile.self)
    await handled().toEqual([0, ['down dropped it', 'down noprocess']])
  })

  test('hears nothing of whom it no longer monitors, and leaves no monitor behind', async () => {
    const { runtime, server, process } = spawn()
    const [first, second] = [runtime.spawn(new Notes()), runtime.spawn(new Notes())]
    server.context.monitor(first.self)()
    await first.end('done')
    server.context.monitor(second.self)
    await process.end('stop')
    expect(runtime.monitors).toBe(0)
    await second.end('done')
    expect(server.notes).toEqual([])
  })

  test('cannot monitor what is not of its node', () => {
    const { server } = spawn()
    expect(() => server.context.monitor(new Pid('elsewhere', 1, 0, 64))).toThrow(
      'only processes of this node',
    )
  })

  test('has the names that it takes until it ends, or gives them back', async () => {
    const { runtime, server, process } = spawn({ name: 'first' })
    const other = new Notes()
    const otherProcess = runtime.spawn(other, { name: 'other' })
    server.context.register('second')
    server.context.register('third')
    expect(() => other.context.register('second')).toThrow('name is taken: "second"')
    other.context.unregister('second')
    expect(other.context.whereis('second')).toBe(process.self)
    server.context.unregister('third')
    expect(other.context.whereis('third')).toBeUndefined()
    await process.end('stop')
    expect(['first', 'second'].map(name => other.context.whereis(name))).toEqual([undefined, undefined])
    server.context.register('late')
    expect(other.context.whereis('late')).toBeUndefined()
    expect(other.context.whereis('other')).toBe(otherProcess.self)
  })

  test('takes its pending timers along when it ends, and one back when told to', async () => {
    const { runtime, server, process, handled } = spawn()
    const timer = server.context.after(1, 'never')
    server.context.after(2, 'soon')
    server.context.after(60_000, 'far')
    server.context.cancel(timer)
    expect(runtime.stats().timers).toBe(2)
    await handled().toEqual([0, ['soon']])
    await process.end('stop')
    expect(runtime.stats().timers).toBe(0)
    expect(server.context.after(1, 'dead')).toBeUndefined()
    expect(runtime.stats().timers).toBe(0)
  })
})
