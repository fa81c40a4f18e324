/**
 * Addresses: a pid names one process of one start of one node; a target is whatever a message may be sent to.
 *
 * A pid never comes to mean another process: the creation tells two starts of a node apart, and a node uses an index
 * once per start. Source: Erlang's pid (node, creation, id, serial).
 */

/** Where a process lives. Immutable; compare with {@link Pid.equals} or by text. */
export class Pid {
  /** Name of the node. */
  readonly node: string
  /** Which start of that node, u32. */
  readonly creation: number
  /** Which thread of that node, u8; 0 is the main thread. */
  readonly worker: number
  /** Which process of that thread, u32. */
  readonly index: number
  #text: string | undefined

  constructor(node: string, creation: number, worker: number, index: number) {
    this.node = node
    this.creation = creation
    this.worker = worker
    this.index = index
    this.#text = undefined
  }

  /** Reads the text form; `undefined` when it is not one. */
  static parse(text: string): Pid | undefined {
    const match = /^([a-z][a-z0-9-]{0,62})\/(\d{1,10})\/(\d{1,3})\/(\d{1,10})$/.exec(text)
    if (!match) return undefined
    const [creation, worker, index] = [Number(match[2]), Number(match[3]), Number(match[4])]
    if (creation > 0xffff_ffff || worker > 0xff || index > 0xffff_ffff) return undefined
    return new Pid(match[1]!, creation, worker, index)
  }

  /** The one printed form, `node/creation/worker/index`; it is also how a pid travels inside a message. */
  toString(): string {
    this.#text ??= `${this.node}/${this.creation}/${this.worker}/${this.index}`
    return this.#text
  }

  equals(other: Pid): boolean {
    return (
      this.index === other.index &&
      this.creation === other.creation &&
      this.worker === other.worker &&
      this.node === other.node
    )
  }
}

/** How a member of a group is picked for a message without a key; draining and suspect members come last, weights count. */
export type PickPolicy =
  /** One of the nearest, in turn: own node, own cluster, own datacenter, far. What is done unless told. */
  | 'nearest'
  /** All of them in turn, however near. */
  | 'round-robin'
  /** The one before which least waits, as far as this node knows; see `Router.queueOf`. */
  | 'least-queue'

/** Any member of a group: by a policy, or with a key always the same one while membership stands. */
export type GroupTarget =
  | { readonly group: string; readonly key?: string; readonly pick?: never }
  | { readonly group: string; readonly key?: never; readonly pick: PickPolicy }

/** The process that owns a key of a partitioned service: the primary's if it is there, else the secondary's, else any. */
export interface ServiceTarget {
  readonly service: string
  readonly key: string
}

/** Whatever a message may be sent to. */
export type Target = Pid | GroupTarget | ServiceTarget

/** The one printed form of a target: a pid's text, `group`, `group by least-queue`, `group:key` or `service:key`. */
export function describe(target: Target): string {
  if (target instanceof Pid) return target.toString()
  if ('service' in target) return `${target.service}:${target.key}`
  if (target.key !== undefined) return `${target.group}:${target.key}`
  return target.pick === undefined || target.pick === 'nearest'
    ? target.group
    : `${target.group} by ${target.pick}`
}
