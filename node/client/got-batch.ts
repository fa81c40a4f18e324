/** What the phone has and still has to say so: collected for a few milliseconds, so that many texts cost one frame. */
import type { TimerHandle, Timers } from '../../transport/index.ts'
import { GOT_ITEMS_MAX, type GotItem } from '../connections/protocol.ts'

export class GotBatch {
  readonly #timers: Timers
  readonly #delayMs: number
  readonly #say: (items: readonly GotItem[]) => void
  #items: GotItem[] = []
  #timer: TimerHandle

  constructor(timers: Timers, delayMs: number, say: (items: readonly GotItem[]) => void) {
    this.#timers = timers
    this.#delayMs = delayMs
    this.#say = say
  }

  add(from: string, number: number): void {
    if (this.#items.length === 0) this.#timer = this.#timers.after(this.#delayMs, () => this.flush())
    this.#items.push([from, number])
    if (this.#items.length === GOT_ITEMS_MAX) this.flush()
  }

  /** Says it now. Unsaid or lost, it does no harm: the server delivers again. */
  flush(): void {
    this.#timers.cancel(this.#timer)
    const items = this.#items
    this.#items = []
    if (items.length > 0) this.#say(items)
  }
}
