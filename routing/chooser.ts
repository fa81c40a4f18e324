/**
 * From a target to one process: by the registry's ready-made views, the services' partition tables, and hints.
 *
 * Hot: choosing allocates nothing. Invariant: a choice never waits, and asks nobody. Source: R14 s28, routing just above pg2.
 */
import { describe, type GroupTarget, Pid, type ServiceTarget, type Target } from './address.ts'
import { Hints } from './hints.ts'
import type { Link } from './link.ts'
import type { QueueOf } from './picks.ts'
import type { PartitionTable } from './placement.ts'
import type { View } from './view.ts'

export interface ChooserOptions {
  readonly node: string
  readonly creation: number
  readonly view: (group: string) => View | undefined
  readonly linkTo: (node: string) => Link | undefined
  readonly services: () => ReadonlyMap<string, PartitionTable>
  /** Messages that wait for a process of this node. */
  readonly queueLength: (index: number, worker: number) => number
  /** What one of them counts against the bytes in a peer's queue. */
  readonly queuedMessageBytes: number
}

export class Chooser {
  readonly hints: Hints
  /**
   * What waits in front of a process, in bytes, as far as this node knows: before one of its own, the messages in its queue;
   * before any other, what is queued here for its node, and nothing of what waits there. Infinity where there is no link.
   */
  readonly queueOf: QueueOf
  readonly #options: ChooserOptions

  constructor(options: ChooserOptions) {
    this.#options = options
    this.queueOf = pid => this.#queueOf(pid)
    this.hints = new Hints({
      services: options.services,
      members: group => options.view(group)?.all ?? [],
      isReachable: pid => this.isReachable(pid),
    })
  }

  /** The process that a message to `target` would go to now. */
  choose(target: Target): Pid | undefined {
    if (target instanceof Pid) return target
    if ('service' in target) return this.#owner(target)
    const view = this.#options.view(target.group)
    if (target.key !== undefined) return view?.picks.pickByKey(target.key)
    switch (target.pick) {
      case undefined:
      case 'nearest':
        return view?.picks.pickNearest()
      case 'round-robin':
        return view?.picks.pickInTurn()
      case 'least-queue':
        return view?.picks.pickLeastQueue(this.queueOf)
      default:
        throw new TypeError(`choose: no such pick: ${JSON.stringify(target)}`)
    }
  }

  /** The member that the next {@link choose} would take; the turn stays where it is. */
  peek(target: GroupTarget): Pid | undefined {
    const picks = this.#options.view(target.group)?.picks
    if (target.key !== undefined) return picks?.pickByKey(target.key)
    switch (target.pick) {
      case undefined:
        return picks?.peek('nearest')
      case 'nearest':
      case 'round-robin':
        return picks?.peek(target.pick)
      case 'least-queue':
        return picks?.peekLeastQueue(this.queueOf)
      default:
        throw new TypeError(`choose: no such pick: ${JSON.stringify(target)}`)
    }
  }

  /** The process that owns a partition now, as this node sees it. */
  ownerOf(table: PartitionTable, partition: number): Pid | undefined {
    const owners = table.owners(partition)
    const group = table.group(partition)
    const pid = this.#options.view(group)?.picks.pickOwner(owners[0], owners[1])
    return pid && this.hints.size > 0 ? this.hints.follow(group, pid) : pid
  }

  /** The group of a key's partition; `undefined` for a service that is not configured. */
  groupOf({ service, key }: ServiceTarget): string | undefined {
    const table = this.#options.services().get(service)
    return table?.group(table.partitionOf(key))
  }

  /** The partition of a service's key; throws a RangeError for a service that is not configured. */
  partition(service: string, key: string): number {
    const table = this.#options.services().get(service)
    if (!table) throw new RangeError(`partition of ${describe({ service, key })}: no such service`)
    return table.partitionOf(key)
  }

  /** Whether a message to a process can be sent now: it is of the present start of this node, or of one that is linked. */
  isReachable(pid: Pid): boolean {
    const { node, creation, linkTo } = this.#options
    return pid.creation === (pid.node === node ? creation : linkTo(pid.node)?.creation)
  }

  /** Whether a process is of an earlier start of its node than the present one: it is no more. */
  isFromOldStart(pid: Pid): boolean {
    const { node, creation, linkTo } = this.#options
    return pid.creation < (pid.node === node ? creation : (linkTo(pid.node)?.creation ?? 0))
  }

  #owner({ service, key }: ServiceTarget): Pid | undefined {
    const table = this.#options.services().get(service)
    return table && this.ownerOf(table, table.partitionOf(key))
  }

  #queueOf({ node, worker, index }: Pid): number {
    const options = this.#options
    if (node === options.node) return options.queueLength(index, worker) * options.queuedMessageBytes
    const link = options.linkTo(node)
    return link ? (link.queueBytes ?? 0) : Number.POSITIVE_INFINITY
  }
}
