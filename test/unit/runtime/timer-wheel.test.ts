import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type TimerOwner, TimerWheel } from '../../../node/runtime/timer-wheel.ts'
import type { TimerHandle } from '../../../transport/index.ts'

/** A clock and one-shot timers that move when told to, and say how often they woke somebody. */
class World {
  nowMs: number
  wakes = 0
  readonly sleeping = new Map<number, { atMs: number; run: () => void }>()
  #next = 1

  constructor(nowMs: number) {
    this.nowMs = nowMs
  }

  readonly clock = { nowMs: () => this.nowMs, wallMs: () => this.nowMs }
  readonly timers = {
    after: (delayMs: number, run: () => void) => {
      this.sleeping.set(this.#next, { atMs: this.nowMs + delayMs, run })
      return this.#next++
    },
    cancel: (handle: TimerHandle | undefined) => void this.sleeping.delete(handle as number),
    soon: () => {},
  }

  advance(byMs: number): void {
    const endMs = this.nowMs + byMs
    for (;;) {
      const [first] = [...this.sleeping].sort((a, b) => a[1].atMs - b[1].atMs)
      if (!first || first[1].atMs > endMs) break
      this.sleeping.delete(first[0])
      this.nowMs = Math.max(this.nowMs, first[1].atMs)
      this.wakes += 1
      first[1].run()
    }
    this.nowMs = endMs
  }
}

class Owner implements TimerOwner {
  firstTimer = 0
  readonly due: { info: unknown; atMs: number }[] = []
  readonly #world: World
  constructor(world: World) {
    this.#world = world
  }
  timerDue(info: unknown): void {
    this.due.push({ info, atMs: this.#world.nowMs })
  }
}

function setup(nowMs = 1000.25) {
  const world = new World(nowMs)
  return { world, wheel: new TimerWheel(world.clock, world.timers), owner: new Owner(world) }
}

describe('the timer wheel', () => {
  test('is never early, and less than 2 ms late, whatever is added, cancelled and waited for', () => {
    const delay = fc.oneof(
      fc.double({ min: 0, max: 200, noNaN: true }),
      fc.double({ min: 0, max: 3e8, noNaN: true }),
    )
    const step = fc.record({ kind: fc.constantFrom('add', 'cancel', 'wait'), delay, which: fc.nat() })
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.array(step), (startMs, steps) => {
        const { world, wheel, owner } = setup(startMs)
        const expected = new Map<number, number>()
        const handles: { handle: number; info: number }[] = []
        const settle = () => {
          for (const { info, atMs } of owner.due.splice(0)) {
            const dueMs = expected.get(info as number)!
            expect(atMs).toBeGreaterThanOrEqual(dueMs)
            // A double has this much of a grain at these sizes.
            expect(atMs).toBeLessThan(dueMs + 2 + 1e-6)
            expected.delete(info as number)
          }
          for (const dueMs of expected.values()) expect(dueMs).toBeGreaterThan(world.nowMs - 2 - 1e-6)
          expect(wheel.pending).toBe(expected.size)
        }
        for (const [info, { kind, delay, which }] of steps.entries()) {
          if (kind === 'add') {
            expected.set(info, world.nowMs + delay)
            handles.push({ handle: wheel.add(owner, delay, info), info })
          } else if (kind === 'cancel' && handles.length > 0) {
            const { handle, info: cancelled } = handles[which % handles.length]!
            wheel.cancel(owner, handle)
            expected.delete(cancelled)
          } else world.advance(delay)
          settle()
        }
        world.advance(4e8)
        settle()
        expect(expected.size).toBe(0)
        expect(world.sleeping.size).toBe(0)
      }),
    )
  })

  test('tells in the order in which things are due, and then in which they were added', () => {
    const { world, wheel, owner } = setup(1000)
    wheel.add(owner, 5000, 'c')
    wheel.add(owner, 100, 'a')
    wheel.add(owner, 5000, 'd')
    world.advance(4990)
    wheel.add(owner, 10, 'e')
    wheel.add(owner, 5, 'b')
    world.advance(1000)
    expect(owner.due.map(({ info }) => info)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('sleeps until something is due, and does not wake while nothing is', () => {
    const { world, wheel, owner } = setup()
    world.advance(1e6)
    expect(world.wakes).toBe(0)
    const handle = wheel.add(owner, 60_000, 'far')
    expect(world.sleeping.size).toBe(1)
    world.advance(59_000)
    // Once a level on the way down, not once a tick.
    expect(world.wakes).toBeLessThanOrEqual(3)
    wheel.cancel(owner, handle)
    expect(world.sleeping.size).toBe(0)
    world.advance(1e6)
    expect(owner.due).toEqual([])
  })

  test('keeps one timer of the port, however many are pending', () => {
    const { world, wheel, owner } = setup()
    for (let i = 0; i < 5000; i++) wheel.add(owner, 30_000 - i, i)
    expect(world.sleeping.size).toBe(1)
    world.advance(30_001)
    expect(owner.due).toHaveLength(5000)
    expect(wheel.pending).toBe(0)
  })

  test('forgets all of one owner, and leaves the others theirs', () => {
    const { world, wheel, owner } = setup()
    const other = new Owner(world)
    for (let i = 0; i < 100; i++) wheel.add(i % 2 ? owner : other, i, i)
    wheel.cancelAll(owner)
    world.advance(200)
    expect(owner.due).toEqual([])
    expect(other.due).toHaveLength(50)
  })

  test('does not take a handle for that of whoever has the place now', () => {
    const { world, wheel, owner } = setup()
    const old = wheel.add(owner, 1, 'old')
    world.advance(5)
    wheel.add(owner, 1, 'new')
    wheel.cancel(owner, old)
    world.advance(5)
    expect(owner.due.map(({ info }) => info)).toEqual(['old', 'new'])
  })

  test('lets whoever is told take back what is due in the same moment', () => {
    const { world, wheel, owner } = setup()
    const handles: number[] = []
    const rash: TimerOwner & { due: number } = {
      firstTimer: 0,
      due: 0,
      timerDue() {
        this.due += 1
        for (const handle of handles) wheel.cancel(rash, handle)
      },
    }
    for (let i = 0; i < 3000; i++) handles.push(wheel.add(rash, 10, i))
    world.advance(20)
    expect(rash.due).toBe(1)
    wheel.add(owner, 1, 'goes on')
    world.advance(5)
    expect(owner.due).toHaveLength(1)
  })
})
