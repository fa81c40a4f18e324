/**
 * What happened to groups and links, as this node saw it: joins and leaves of its own members, what others told of theirs, links
 * that came and went, and whom that made suspect.
 *
 * Fed by the registry and the mesh; `history.ts` reads it back from the present. Three rings, so that a storm of one kind does
 * not wash out the others. What the registry hands over is kept as it is, once per turn of the loop, and read only when somebody
 * asks: a join costs next to nothing. Invariant: bounded, whatever happens.
 */
import type { HeldMembers, MemberBefore, PeerEvent, RegistryEvents } from '../../routing/index.ts'
import type { Clock } from '../../transport/index.ts'
import { type JournalOptions, journalDefaults } from './options.ts'
import { Ring, type Stamped } from './ring.ts'

/** A change of one node's members in one scope. */
export type MembersEntry = Stamped &
  PeerEvent & {
    readonly scope: string
  } /** Joins and leaves of one turn of the loop: how these members stood before. */ & (
    | { readonly kind: 'changed'; readonly before: readonly MemberBefore[] }
    /** All that the node has in the scope was taken over; nothing was known of it before. */
    | { readonly kind: 'appeared'; readonly members: number }
    /** All that was known of the node in the scope went; `held` is left out where it was too much to keep. */
    | { readonly kind: 'forgot'; readonly members: number; readonly held: HeldMembers | undefined }
  )

/** What happened to the link with a node. */
export interface LinkEntry extends Stamped, PeerEvent {
  /** `suspect`: the link is lost and its members stay for a while; `gone`: they are forgotten. */
  readonly kind: 'link-up' | 'link-down' | 'suspect' | 'gone'
  /** Why, in a word. */
  readonly why: string
  /** How many members, in all groups, that is about; null where it is about none. */
  readonly members: number | null
}

/** How full a ring is. */
export interface RingStats {
  readonly entries: number
  readonly bytes: number
  readonly gone: number
  /** Wall time since when everything is there. */
  readonly reachMs: number
}

/** Estimates of memory, on 64-bit V8: an entry, a change with its process's address, a member in a table. */
const entryBytes = 160
const changeBytes = 150
const heldBytes = 250

export class Journal {
  readonly own: Ring<MembersEntry>
  readonly others: Ring<MembersEntry>
  readonly links: Ring<LinkEntry>
  /** Wall time of the journal's beginning. */
  readonly startedAtMs: number
  readonly #node: string
  readonly #clock: Pick<Clock, 'wallMs'>
  readonly #options: JournalOptions
  #number = 0

  constructor(node: string, clock: Pick<Clock, 'wallMs'>, options: Partial<JournalOptions> = {}) {
    this.#node = node
    this.#clock = clock
    this.#options = { ...journalDefaults, ...options }
    const { entriesMax, bytesMax } = this.#options
    this.own = new Ring(entriesMax, bytesMax)
    this.others = new Ring(entriesMax, bytesMax)
    this.links = new Ring(entriesMax, bytesMax)
    this.startedAtMs = clock.wallMs()
  }

  /** How full the rings are. */
  stats(): Readonly<Record<'own' | 'others' | 'links', RingStats>> {
    const of = (ring: Ring<Stamped>): RingStats => ({
      entries: ring.size,
      bytes: ring.bytes,
      gone: ring.gone,
      reachMs: this.reachMs(ring),
    })
    return { own: of(this.own), others: of(this.others), links: of(this.links) }
  }

  /** Wall time since when nothing is missing in a ring. */
  reachMs(ring: Ring<Stamped>): number {
    return ring.goneAtMs ?? this.startedAtMs
  }

  /** What the registry tells. */
  readonly ears = {
    changed: ({ node, creation, scope, before }) => {
      const ring = node === this.#node ? this.own : this.others
      const atMs = this.#clock.wallMs()
      // The registry's own list where it is no longer than an entry: most turns change little.
      const sizeMax = this.#options.entryMembersMax
      for (let at = 0; at < before.length; at += sizeMax) {
        const some = before.length <= sizeMax ? before : before.slice(at, at + sizeMax)
        const number = this.#number++
        const bytes = entryBytes + some.length * changeBytes
        ring.add({ number, atMs, kind: 'changed', node, creation, scope, before: some }, bytes)
      }
    },
    appeared: ({ node, creation, scope, members }) => {
      this.others.add({ ...this.#stamp(), kind: 'appeared', node, creation, scope, members }, entryBytes)
    },
    forgot: ({ node, creation, scope, held }) => {
      const ring = node === this.#node ? this.own : this.others
      const members = held.size
      const bytes = entryBytes + members * heldBytes
      // One node's death shall not wash out everything else.
      const isKept = bytes <= this.#options.bytesMax / 2
      const entry = { ...this.#stamp(), kind: 'forgot' as const, node, creation, scope, members }
      ring.add({ ...entry, held: isKept ? held : undefined }, isKept ? bytes : entryBytes)
    },
    suspected: ({ node, creation, members }) => this.#link('suspect', node, creation, 'link lost', members),
    gone: ({ node, creation, members, why }) => this.#link('gone', node, creation, why, members),
  } satisfies RegistryEvents

  /** A link came up. */
  linkUp({ node, creation }: PeerEvent): void {
    this.#link('link-up', node, creation, '', null)
  }

  /** A link ended; `creation` is that of the start it was with. */
  linkDown({ node, creation }: PeerEvent, reason: string): void {
    this.#link('link-down', node, creation, reason, null)
  }

  #link(kind: LinkEntry['kind'], node: string, creation: number, why: string, members: number | null): void {
    this.links.add({ ...this.#stamp(), kind, node, creation, why, members }, entryBytes + why.length * 2)
  }

  #stamp(): Stamped {
    return { number: this.#number++, atMs: this.#clock.wallMs() }
  }
}
