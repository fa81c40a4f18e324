/**
 * A crowd of phones that talk over a meta-cluster while a test does what it does to the nodes; the tally is the judge.
 *
 * Livelier than the demo: pauses of a few tenths of a second, so that every node has messages under way when it dies.
 */

import { Crowd } from '../../ops/dev/phones.ts'
import { readLines, shippedLines } from '../../ops/dev/script/lines.ts'
import type { Pace } from '../../ops/dev/script/talk.ts'
import type { Counts } from '../../ops/dev/tally.ts'
import type { MetaCluster } from './meta-cluster.ts'

const lively: Pace = {
  waitMsMin: 50,
  waitMsMax: 350,
  leaveChance: 0.02,
  awayMsMin: 300,
  awayMsMax: 1_500,
  elsewhereChance: 0.5,
}

/** What must be zero, whatever happened. */
export const nothingWrong = { lost: 0, duplicates: 0, outOfOrder: 0, wrong: 0, unanswered: 0 }

export class Conversation implements AsyncDisposable {
  readonly crowd: Crowd
  readonly #stop = new AbortController()

  private constructor(cluster: MetaCluster, count: number, seed: number) {
    const places = cluster.topology.withRole('chat').map(({ name, datacenter, phones }) => {
      return { node: name, datacenter, address: phones! }
    })
    const lines = readLines(shippedLines)
    this.crowd = new Crowd({ count, places, seed, lines, pace: lively, onChat: () => {} })
  }

  /** Brings `count` phones online, and lets them talk. */
  static async start(cluster: MetaCluster, count: number, seed: number): Promise<Conversation> {
    const conversation = new Conversation(cluster, count, seed)
    await conversation.crowd.join(conversation.#stop.signal)
    conversation.crowd.start()
    return conversation
  }

  get counts(): Counts {
    return this.crowd.tally.counts
  }

  /** Ends the talking, waits until all that was acknowledged has been seen, and says what went wrong. */
  async verdict(): Promise<typeof nothingWrong> {
    await this.crowd.settle(30_000, this.#stop.signal)
    const { lost, duplicates, outOfOrder } = this.counts
    const { wrong, unanswered } = this.crowd.tally
    return { lost, duplicates, outOfOrder, wrong, unanswered }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.crowd.close(0)
  }
}
