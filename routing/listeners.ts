/**
 * Who wants to know of changes in a scope, and the order in which they are told.
 *
 * Invariants: lists are up to date before anybody is told; a listener that changes a group causes an event that comes
 * after the present one, never within it; who starts to listen hears only of what happens from then on.
 */
import type { GroupEvent } from './group-events.ts'

export type GroupListener = (event: GroupEvent) => void

interface Subscription {
  readonly group: string | undefined
  readonly listener: GroupListener
  active: boolean
}

interface Telling {
  readonly event: GroupEvent
  /** Those who listened when it happened. */
  readonly subscriptions: readonly Subscription[]
}

export class Listeners {
  #subscriptions: readonly Subscription[] = []
  readonly #waiting: Telling[] = []
  #isTelling = false
  readonly #soon: (run: () => void) => void

  /** `soon` gets what a listener throws: it is thrown again in a turn of its own, where nobody else suffers. */
  constructor(soon: (run: () => void) => void) {
    this.#soon = soon
  }

  /** False while nobody listens, and events need not be made. */
  get any(): boolean {
    return this.#subscriptions.length > 0
  }

  /** Calls `listener` for every change of one group, or of all; returns what ends that. */
  add(group: string | undefined, listener: GroupListener): () => void {
    const subscription: Subscription = { group, listener, active: true }
    this.#subscriptions = [...this.#subscriptions, subscription]
    return () => {
      subscription.active = false
      this.#subscriptions = this.#subscriptions.filter(other => other !== subscription)
    }
  }

  /** Nobody listens any more; what has happened until now is still told. */
  clear(): void {
    this.#subscriptions = []
  }

  /** Tells of changes that have been made. */
  tell(events: readonly GroupEvent[]): void {
    if (this.#subscriptions.length === 0) return
    for (const event of events) this.#waiting.push({ event, subscriptions: this.#subscriptions })
    if (this.#isTelling) return
    this.#isTelling = true
    // The list may grow while it is walked.
    for (const { event, subscriptions } of this.#waiting) {
      for (const subscription of subscriptions) this.#tellOne(subscription, event)
    }
    this.#waiting.length = 0
    this.#isTelling = false
  }

  #tellOne({ group, listener, active }: Subscription, event: GroupEvent): void {
    if (!active || (group !== undefined && group !== event.group)) return
    try {
      listener(event)
    } catch (error) {
      this.#soon(() => {
        throw error
      })
    }
  }
}
