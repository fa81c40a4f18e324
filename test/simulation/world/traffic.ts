/**
 * What the processes of a world say to each other: casts and calls, each with an id by which observers follow it.
 *
 * Invariant: whom a message is meant for is settled as it is sent, from what the sender's node sees; for a service, by its router.
 */
import { Sent } from '../../../transport/index.ts'
import type { SimCall, SimCast } from '../observer.ts'
import { service } from '../script.ts'
import type { SimNode } from './node.ts'
import { SeededRandom } from './random.ts'
import type { Answer } from './worker.ts'
import type { World } from './world.ts'

/** One of a group's members, counted from the first and round again; or whoever owns a key. */
export type Addressee =
  | { readonly group: string; readonly choice: number }
  | { readonly service: string; readonly key: string }

export class Traffic {
  readonly #world: World
  readonly #random: SeededRandom
  readonly #numbers = new Map<string, number>()
  #nextId = 1

  constructor(world: World) {
    this.#world = world
    this.#random = new SeededRandom(world.script.seed, 'world')
  }

  /** One process sends a cast to a member of a group that its node sees. */
  cast(node: SimNode, slot: number, to: { group: string; choice: number }, lane: 1 | 2, bytes: number): void {
    const process = node.processes[slot]
    const members = node.wires.registry.members(to.group)
    if (process === undefined || members.length === 0) return
    const pid = members[to.choice % members.length]!
    const stream = `${process.self} ${pid} ${lane}`
    const number = (this.#numbers.get(stream) ?? 0) + 1
    this.#numbers.set(stream, number)
    const cast: SimCast = { id: this.#nextId++, node, stream, number, target: pid, sent: Sent.ok }
    const message = { id: cast.id, stream, number, pad: new Uint8Array(bytes) }
    cast.sent = node.wires.router.cast(pid, message, { from: process.self, lane })
    this.#tell(cast)
  }

  /** A node sends a cast to all members of a group that it sees. */
  castAll(node: SimNode, group: string, bytes: number): void {
    const id = this.#nextId++
    for (const target of node.wires.registry.members(group))
      this.#tell({ id, node, stream: undefined, number: 0, target, sent: Sent.ok })
    node.wires.router.castAll(group, { id, stream: undefined, number: 0, pad: new Uint8Array(bytes) })
  }

  /** A node sends a cast to whoever owns a key of the service. */
  tellOwner(node: SimNode, key: string, bytes: number): void {
    const id = this.#nextId++
    const cast: SimCast = { id, node, stream: undefined, number: 0, target: undefined, sent: Sent.ok }
    const message = { id, stream: undefined, number: 0, pad: new Uint8Array(bytes) }
    cast.sent = node.wires.router.cast({ service, key }, message)
    this.#tell(cast)
  }

  /** A node calls. */
  call(node: SimNode, to: Addressee, answer: Answer, timeoutMs: number): void {
    const world = this.#world
    const id = this.#nextId++
    const value = this.#random.below(1_000_000)
    const call: SimCall = { id, node, deadlineMs: world.nowMs + timeoutMs, value }
    world.tell('called', call)
    const ended = (text: string) => world.hash.add('call ended', world.nowMs, `${id} ${text}`)
    node.wires.router.call(this.#target(node, to), { id, answer, value }, { timeoutMs }).then(
      answered => {
        ended('answer')
        world.tell('callEnded', call, { value: answered })
      },
      error => {
        ended(error.code)
        world.tell('callEnded', call, { code: error.code })
      },
    )
  }

  #target(node: SimNode, to: Addressee) {
    if ('service' in to) return to
    const members = node.wires.registry.members(to.group)
    return members.length > 0 ? members[to.choice % members.length]! : { group: to.group }
  }

  #tell(cast: SimCast): void {
    this.#world.hash.add('cast', this.#world.nowMs, cast.sent)
    this.#world.tell('cast', cast)
  }
}
