/**
 * What the admin socket answers: one function per path, from the path's parts and parameters to a document.
 *
 *   GET  /v1/self                        who answers here
 *   GET  /v1/status                      every node at a glance
 *   GET  /v1/nodes  /v1/nodes/NAME       all nodes, a line each; one node, everything
 *   GET  /v1/peers  /v1/peers/NAME       every link from both its ends; those of one node
 *   GET  /v1/peers/NAME/PEER             one peer of one node, everything
 *   GET  /v1/samples  /v1/samples/NAME   what status rows are made of
 *   GET  /v1/processes/NAME              who supervises what on one node
 *   GET  /v1/groups  /v1/groups/GROUP    groups by number of members; the members of one
 *
 * Drains are in drain-watch.ts, tees and diverts in diversion-routes.ts; what is compared or merged from all nodes in trace-routes.ts,
 * diff-routes.ts and history-routes.ts.
 *
 * Every document is `{data, complete, missing}`, as `wand --json` prints it. `?timeoutMs=` bounds the wait for others.
 */
import type { ObservedNode } from '../observed-node.ts'
import type { Gathered, Gatherer, Missing } from './gather.ts'
import type { Member } from './queries.ts'
import { statusOf } from './status.ts'

/** What every reading route answers. */
export interface Document<T = unknown> {
  readonly data: T
  readonly complete: boolean
  readonly missing: readonly Missing[]
}

/** A request that cannot be met: an HTTP status, a code for programs, a line for people. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** One line of `wand group list`. */
export interface GroupRow {
  readonly scope: string
  readonly group: string
  readonly members: number
  readonly byDatacenter: Readonly<Record<string, number>>
}

/** One line of `wand group show`. */
export interface MemberRow {
  readonly group: string
  readonly node: string
  readonly datacenter: string
  readonly pid: string
  readonly published: boolean
}

/** Who answers. */
export interface Self {
  readonly node: string
  readonly state: string
  readonly version: string
  readonly clusterId: string
  readonly linked: number
}

/** The reading side of a node's admin endpoint. */
export class Routes {
  readonly #node: ObservedNode
  readonly #gatherer: Gatherer

  constructor(node: ObservedNode, gatherer: Gatherer) {
    this.#node = node
    this.#gatherer = gatherer
  }

  /**
   * Answers a GET.
   *
   * @param parts the path after /v1, decoded
   * @throws RequestError for a path that is none, or a node that is not configured
   */
  async get(parts: readonly string[], timeoutMs: number): Promise<Document> {
    const [what, name, peer, ...rest] = parts
    if (rest.length > 0 || (peer !== undefined && what !== 'peers')) throw notFound(parts)
    if (what === 'self' && name === undefined) return whole(this.#self())
    if (what === 'status' && name === undefined) return this.#status(timeoutMs)
    if (what === 'nodes') {
      return name === undefined
        ? list(await this.#gatherer.all({ op: 'row' }, timeoutMs))
        : single(await this.#gatherer.one(this.known(name), { op: 'detail' }, timeoutMs))
    }
    if (what === 'peers')
      return peer === undefined ? this.#peers(name, timeoutMs) : this.#peer(name!, peer, timeoutMs)
    if (what === 'samples') {
      return name === undefined
        ? list(await this.#gatherer.all({ op: 'sample' }, timeoutMs))
        : list(await this.#gatherer.one(this.known(name), { op: 'sample' }, timeoutMs))
    }
    if (what === 'processes' && name !== undefined)
      return single(await this.#gatherer.one(this.known(name), { op: 'processes' }, timeoutMs))
    if (what === 'groups')
      return name === undefined ? this.#groups(timeoutMs) : this.#members(name, timeoutMs)
    throw notFound(parts)
  }

  /** @throws RequestError when the configuration has no such node */
  known(name: string): string {
    if (this.#node.topology.node(name) !== undefined) return name
    throw new RequestError(404, 'unknown-node', `no such node: "${name}"`)
  }

  #self(): Self {
    const { name, state, version, topology, mesh } = this.#node
    const linked = [...mesh.peers.values()].filter(peer => peer.linked).length
    return { node: name, state, version, clusterId: topology.config.id, linked }
  }

  async #status(timeoutMs: number): Promise<Document> {
    const gathered = await this.#gatherer.all({ op: 'glance' }, timeoutMs)
    return withCut(statusOf(this.#node.topology, gathered.answers.values()), gathered)
  }

  /** Of all nodes when `name` is left out. */
  async #peers(name: string | undefined, timeoutMs: number): Promise<Document> {
    const gathered =
      name === undefined
        ? await this.#gatherer.all({ op: 'peers' }, timeoutMs)
        : await this.#gatherer.one(this.known(name), { op: 'peers' }, timeoutMs)
    const data = [...gathered.answers.values()]
      .flatMap(({ rows }) => rows)
      .sort((one, other) => compareNames(one.node, other.node) || compareNames(one.peer, other.peer))
    return withCut(data, gathered)
  }

  async #peer(name: string, peer: string, timeoutMs: number): Promise<Document> {
    const { answers, missing } = await this.#gatherer.one(this.known(name), { op: 'peer', peer }, timeoutMs)
    const answer = answers.get(name)
    if (answer?.peer === null)
      throw new RequestError(404, 'unknown-peer', `no such peer of ${name}: "${peer}"`)
    return { data: answer?.peer ?? null, complete: missing.length === 0, missing }
  }

  async #groups(timeoutMs: number): Promise<Document> {
    const gathered = await this.#gatherer.all({ op: 'groups' }, timeoutMs)
    const rows = new Map<string, { scope: string; group: string; byDatacenter: Record<string, number> }>()
    for (const [node, { groups }] of gathered.answers) {
      for (const { scope, group, members } of groups) {
        const key = `${scope} ${group}`
        const row = rows.get(key) ?? { scope, group, byDatacenter: {} }
        const datacenter = this.#datacenterOf(node)
        row.byDatacenter[datacenter] = (row.byDatacenter[datacenter] ?? 0) + members
        rows.set(key, row)
      }
    }
    const data = [...rows.values()]
      .map(({ scope, group, byDatacenter }): GroupRow => {
        const members = Object.values(byDatacenter).reduce((sum, count) => sum + count, 0)
        return { scope, group, members, byDatacenter }
      })
      .sort((one, other) => compareNames(one.scope, other.scope) || compareNames(one.group, other.group))
    return withCut(data, gathered)
  }

  async #members(group: string, timeoutMs: number): Promise<Document> {
    const gathered = await this.#gatherer.all({ op: 'members', group }, timeoutMs)
    const data = [...gathered.answers].flatMap(([node, { members }]) =>
      members.map(
        ({ pid, published }: Member): MemberRow => ({
          group,
          node,
          datacenter: this.#datacenterOf(node),
          pid,
          published,
        }),
      ),
    )
    if (data.length === 0 && gathered.missing.length === 0) {
      throw new RequestError(404, 'unknown-group', `no such group: "${group}"`)
    }
    return withCut(data, gathered)
  }

  #datacenterOf(node: string): string {
    return this.#node.topology.place(node)?.datacenter ?? ''
  }
}

function whole(data: unknown): Document {
  return { data, complete: true, missing: [] }
}

function list(gathered: Gathered<unknown>): Document {
  const { answers, missing } = gathered
  return { data: [...answers.values()], complete: missing.length === 0, missing }
}

function single(gathered: Gathered<unknown>): Document {
  return { ...list(gathered), data: [...gathered.answers.values()][0] ?? null }
}

/** A node that had more to say than an answer carries counts as missing: its part is not whole. */
function withCut(data: unknown, gathered: Gathered<{ readonly truncated: boolean }>): Document {
  const cut = [...gathered.answers].filter(([, { truncated }]) => truncated)
  const missing = [...gathered.missing, ...cut.map(([node]) => ({ node, reason: 'truncated' }))]
  return { data, complete: missing.length === 0, missing }
}

function notFound(parts: readonly string[]): RequestError {
  return new RequestError(404, 'no-such-path', `no such path: /v1/${parts.join('/')}`)
}

/** Names in the order in which people look for them: `mailbox/2` before `mailbox/10`. */
function compareNames(one: string, other: string): number {
  return collator.compare(one, other)
}

const collator = new Intl.Collator('en', { numeric: true })
