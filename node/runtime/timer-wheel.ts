/**
 * The timers of all processes of a runtime, in one hierarchical wheel on one timer of the port.
 *
 *   level 0   64 slots of 1 ms         a timer waits in the lowest level at which it and now lie in the same block of 64 slots;
 *   level 1   64 slots of 64 ms        when now reaches its slot there, it moves down, and from level 0 it is due.
 *   ...       level 7: 64 slots of 139 years
 *
 * A slot is a ring of timers; timers are numbers, their fields columns of arrays, so that one costs some fifty bytes and no
 * object. The port is asked to wake it when the first slot in use is reached, and not at all while nothing is pending.
 * Invariant: nothing is due early; it is less than 2 ms late (to the end of its tick, and to a whole number of ms
 * from now, since timers of Node sleep in those), beyond what the port's own timer is late.
 * Source: Varghese and Lauck, Hashed and Hierarchical Timing Wheels (1987), scheme 7.
 */
import type { Clock, TimerHandle, Timers } from '../../transport/index.ts'

/** Whoever has timers. The wheel keeps the first of its list here, 0 for none. */
export interface TimerOwner {
  firstTimer: number
  /** Must not take long: everything else that is due waits. */
  timerDue(info: unknown): void
}

const SLOTS_PER_LEVEL = 64
const LEVELS = 8
/** Rings of links start in front of the timers' own: a slot is a link of its ring. */
const SLOTS = SLOTS_PER_LEVEL * LEVELS
const TIMERS_MIN = 64
/** A handle is a timer's number and, above it, which use of that number it is. */
const NUMBERS_MAX = 2 ** 26
const USES_MAX = 2 ** 27
const DELAY_MS_MAX = 2 ** 47
/** The most that a timer of Node can wait. */
const SLEEP_MS_MAX = 2 ** 31 - 1

export class TimerWheel {
  readonly #clock: Clock
  readonly #timers: Timers
  /** How many wait. */
  pending = 0
  #nowTick = 0
  #wakeTick = Number.POSITIVE_INFINITY
  #wake: TimerHandle | undefined
  #useNext = 0
  #freeFirst = 0
  // Columns: links are indexed by slot, or by SLOTS + timer; the others by timer. Timer 0 is none.
  #next = new Int32Array(0)
  #previous = new Int32Array(0)
  #dueTick = new Float64Array(0)
  #use = new Int32Array(0)
  #ownNext = new Int32Array(0)
  #ownPrevious = new Int32Array(0)
  #owner: (TimerOwner | undefined)[] = []
  #info: unknown[] = []

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock
    this.#timers = timers
  }

  /** Tells `owner` in `delayMs` (less than 0 is 0). Returns what {@link cancel} takes. */
  add(owner: TimerOwner, delayMs: number, info: unknown): number {
    const nowMs = this.#clock.nowMs()
    if (this.pending === 0) this.#nowTick = Math.floor(nowMs)
    if (this.#freeFirst === 0) this.#grow()
    const timer = this.#freeFirst
    this.#freeFirst = this.#next[SLOTS + timer]!
    this.pending += 1
    this.#dueTick[timer] = Math.ceil(nowMs + Math.min(Math.max(0, delayMs), DELAY_MS_MAX))
    this.#owner[timer] = owner
    this.#info[timer] = info
    this.#ownNext[timer] = owner.firstTimer
    this.#ownPrevious[timer] = 0
    if (owner.firstTimer !== 0) this.#ownPrevious[owner.firstTimer] = timer
    owner.firstTimer = timer
    this.#useNext = (this.#useNext + 1) % USES_MAX
    this.#use[timer] = this.#useNext
    this.#wakeAt(this.#place(timer), nowMs)
    return this.#useNext * NUMBERS_MAX + timer
  }

  /** Takes a timer of `owner` back; one that has been due already, or is another's, is left alone. */
  cancel(owner: TimerOwner, handle: TimerHandle | undefined): void {
    if (typeof handle !== 'number') return
    const timer = handle % NUMBERS_MAX
    if (this.#owner[timer] !== owner || this.#use[timer] !== Math.floor(handle / NUMBERS_MAX)) return
    this.#remove(timer, owner)
    if (this.pending === 0) this.#rest()
  }

  /** Takes back all that `owner` has. */
  cancelAll(owner: TimerOwner): void {
    if (owner.firstTimer === 0) return
    while (owner.firstTimer !== 0) this.#remove(owner.firstTimer, owner)
    if (this.pending === 0) this.#rest()
  }

  /** Tells whoever is due, and sleeps until the next slot in use. */
  #advance(): void {
    this.#wake = undefined
    this.#wakeTick = Number.POSITIVE_INFINITY
    const nowMs = this.#clock.nowMs()
    const nowTick = Math.floor(nowMs)
    while (this.pending > 0) {
      const slot = this.#firstSlot()
      const tick = this.#tickOf(slot)
      if (tick > nowTick) {
        this.#nowTick = nowTick
        this.#wakeAt(tick, nowMs)
        return
      }
      this.#nowTick = tick
      // Whoever is told may take timers back, and the last one takes the columns along.
      for (let link = this.#next[slot]!; this.pending > 0 && link !== slot; link = this.#next[slot]!) {
        if (slot < SLOTS_PER_LEVEL) this.#fire(link - SLOTS)
        else {
          this.#unlink(link)
          this.#place(link - SLOTS)
        }
      }
    }
    this.#rest()
  }

  #fire(timer: number): void {
    const owner = this.#owner[timer]!
    const info = this.#info[timer]
    this.#remove(timer, owner)
    owner.timerDue(info)
  }

  /** Nothing is pending: no wake, and what a crowd of timers took is given back. */
  #rest(): void {
    this.#timers.cancel(this.#wake)
    this.#wake = undefined
    this.#wakeTick = Number.POSITIVE_INFINITY
    if (this.#dueTick.length > TIMERS_MIN * 16) this.#resize(0)
  }

  #wakeAt(tick: number, nowMs: number): void {
    if (tick >= this.#wakeTick) return
    this.#timers.cancel(this.#wake)
    this.#wakeTick = tick
    const sleepMs = Math.min(Math.max(0, Math.ceil(tick - nowMs)), SLEEP_MS_MAX)
    this.#wake = this.#timers.after(sleepMs, () => this.#advance())
  }

  /** Puts a timer into its slot's ring, last; returns when that slot is reached. */
  #place(timer: number): number {
    const dueTick = this.#dueTick[timer]!
    let level = 0
    let unit = 1
    while (
      Math.floor(dueTick / (unit * SLOTS_PER_LEVEL)) !== Math.floor(this.#nowTick / (unit * SLOTS_PER_LEVEL))
    ) {
      level += 1
      unit *= SLOTS_PER_LEVEL
    }
    const slot = level * SLOTS_PER_LEVEL + (Math.floor(dueTick / unit) % SLOTS_PER_LEVEL)
    const link = SLOTS + timer
    const last = this.#previous[slot]!
    this.#next[last] = link
    this.#previous[link] = last
    this.#next[link] = slot
    this.#previous[slot] = link
    return Math.floor(dueTick / unit) * unit
  }

  /** The slot in use that is reached first: all of a level come before all of the next. Only while something is pending. */
  #firstSlot(): number {
    let slot = 0
    while (this.#next[slot] === slot) slot += 1
    return slot
  }

  #tickOf(slot: number): number {
    const unit = SLOTS_PER_LEVEL ** Math.floor(slot / SLOTS_PER_LEVEL)
    const block = unit * SLOTS_PER_LEVEL
    return Math.floor(this.#nowTick / block) * block + (slot % SLOTS_PER_LEVEL) * unit
  }

  #unlink(link: number): void {
    const next = this.#next[link]!
    const previous = this.#previous[link]!
    this.#next[previous] = next
    this.#previous[next] = previous
  }

  #remove(timer: number, owner: TimerOwner): void {
    this.#unlink(SLOTS + timer)
    const next = this.#ownNext[timer]!
    const previous = this.#ownPrevious[timer]!
    if (previous === 0) owner.firstTimer = next
    else this.#ownNext[previous] = next
    if (next !== 0) this.#ownPrevious[next] = previous
    this.#owner[timer] = undefined
    this.#info[timer] = undefined
    this.#next[SLOTS + timer] = this.#freeFirst
    this.#freeFirst = timer
    this.pending -= 1
  }

  #grow(): void {
    const length = this.#dueTick.length
    if (length * 2 > NUMBERS_MAX) throw new Error(`add timer: too many are pending: ${this.pending}`)
    this.#resize(Math.max(TIMERS_MIN, length * 2))
  }

  /** Makes room for `length` timers: more than there were, or 0 when none is pending. */
  #resize(length: number): void {
    const before = Math.min(this.#dueTick.length, length)
    const links = length === 0 ? 0 : SLOTS + length
    this.#next = resized(this.#next, new Int32Array(links))
    this.#previous = resized(this.#previous, new Int32Array(links))
    this.#dueTick = resized(this.#dueTick, new Float64Array(length))
    this.#use = resized(this.#use, new Int32Array(length))
    this.#ownNext = resized(this.#ownNext, new Int32Array(length))
    this.#ownPrevious = resized(this.#ownPrevious, new Int32Array(length))
    this.#owner.length = length
    this.#info.length = length
    this.#freeFirst = 0
    if (before === 0) {
      for (let slot = 0; slot < Math.min(SLOTS, links); slot++) {
        this.#next[slot] = slot
        this.#previous[slot] = slot
      }
    }
    for (let timer = length - 1; timer >= Math.max(1, before); timer--) {
      this.#next[SLOTS + timer] = this.#freeFirst
      this.#freeFirst = timer
    }
  }
}

function resized<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from.subarray(0, to.length))
  return to
}
