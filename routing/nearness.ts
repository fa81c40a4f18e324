/**
 * How near other nodes are, as the configuration has it now: which are chosen first, and what they may see.
 *
 * A node that is not configured counts as far, and of another cluster. Source: R14 s29-31, clusters in datacenters.
 */
import { AudienceKind } from './exchange.ts'
import type { Place } from './link.ts'
import { Distance } from './view.ts'

export class Nearness {
  readonly #here: string
  readonly #place: (node: string) => Place | undefined

  /** `place` says where a node stands, `here` is this one. */
  constructor(here: string, place: (node: string) => Place | undefined) {
    this.#here = here
    this.#place = place
  }

  audienceOf(node: string): AudienceKind {
    return this.#isSameCluster(node) ? AudienceKind.cluster : AudienceKind.far
  }

  distance(node: string): Distance {
    if (node === this.#here) return Distance.self
    if (this.#isSameCluster(node)) return Distance.cluster
    const place = this.#place(node)
    return place && place.datacenter === this.#place(this.#here)?.datacenter
      ? Distance.datacenter
      : Distance.far
  }

  #isSameCluster(node: string): boolean {
    const place = this.#place(node)
    return place !== undefined && place.cluster === this.#place(this.#here)?.cluster
  }
}
