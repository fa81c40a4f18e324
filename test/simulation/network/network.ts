/**
 * The network between the nodes of a world: it carries bytes, as TCP would, and takes faults by the names of nodes.
 *
 *   carrier(machine).dial ─▶ End ══ Pipe on Path ══▶ End ─▶ the listener's accept
 *
 * Invariant: all that it does to bytes is lawful for TCP, so whatever breaks above it is the product's fault.
 */
import { type Carrier, type Listener, type Stream, TransportError } from '../../../transport/index.ts'
import type { EventHash } from '../world/event-hash.ts'
import { Phase } from '../world/event-queue.ts'
import type { Loop } from '../world/loop.ts'
import type { Machine } from '../world/machine.ts'
import { SeededRandom } from '../world/random.ts'
import { End } from './end.ts'
import { Path, type Weather } from './path.ts'

/** How often a dial that nobody answers is tried again, ms. */
const synRetryMs = 150

interface Listening {
  readonly machine: Machine
  readonly accept: (stream: Stream) => void
}

export class Network {
  readonly loop: Loop
  readonly weather: Weather
  readonly random: SeededRandom
  /** Told when something rare has happened. */
  seen: (what: string) => void = () => {}
  readonly #seed: number
  readonly #listeners = new Map<string, Listening>()
  /** Open ends, by where they are and where they lead. */
  readonly #ends = new Map<string, Set<End>>()
  readonly #paths = new Map<string, Path>()
  readonly #off = new Set<string>()

  constructor(seed: number, weather: Weather, loop: Loop) {
    this.#seed = seed
    this.loop = loop
    this.weather = weather
    this.random = new SeededRandom(seed, 'network')
  }

  get hash(): EventHash {
    return this.loop.hash
  }

  /** The address where a node listens. */
  static address(node: string): string {
    return `${node}:7400`
  }

  /** What a machine makes its streams with. */
  carrier(machine: Machine): Carrier {
    return {
      listen: async (address, accept) => this.#listen(machine, address, accept),
      dial: address => this.#dial(machine, address),
    }
  }

  /** The way from one node to another. */
  path(source: string, target: string): Path {
    const key = `${source} > ${target}`
    let path = this.#paths.get(key)
    if (path === undefined) {
      const { latencyMsMin, latencyMsMax, bytesPerMs } = this.weather
      const random = new SeededRandom(this.#seed, `path ${key}`)
      const latencyMs = latencyMsMin + random.next() * (latencyMsMax - latencyMsMin)
      path = new Path(source, target, latencyMs, bytesPerMs)
      this.#paths.set(key, path)
    }
    return path
  }

  /** The path is better now: what it held moves on, after the wait of a retransmission. */
  healed(source: string, target: string): void {
    for (const end of this.#endsOf(source, target)) this.#wakeLater(end.out)
    for (const end of this.#endsOf(target, source)) this.#wakeLater(end.in)
  }

  /** Breaks all streams between two nodes, at both ends; each hears of it in its own time. */
  reset(one: string, other: string): void {
    for (const end of [...this.#endsOf(one, other)]) {
      end.out?.cutTail('reset')
      end.fail('reset')
    }
  }

  /** A machine is gone. `isOff`: its power too, so that nobody hears of it until something answers there again. */
  crash(machine: Machine, isOff: boolean): void {
    machine.isDead = true
    for (const [address, listening] of this.#listeners)
      if (listening.machine === machine) this.#listeners.delete(address)
    if (isOff) this.#off.add(machine.name)
    for (const ends of this.#ends.values())
      for (const end of [...ends]) if (end.machine === machine) end.die(!isOff)
  }

  /** The node's machine has power again: what comes for its former start is answered with a reset. */
  powerOn(node: string): void {
    if (!this.#off.delete(node)) return
    for (const ends of this.#ends.values())
      for (const end of ends) if (end.remote === node) this.#wakeLater(end.out)
  }

  isOff(node: string): boolean {
    return this.#off.has(node)
  }

  /** Open ends of streams at one node that lead to another. */
  openEnds(node: string, remote: string): number {
    return this.#endsOf(node, remote).size
  }

  forget(end: End): void {
    this.#endsOf(end.machine.name, end.remote).delete(end)
  }

  #remember(end: End): void {
    this.#endsOf(end.machine.name, end.remote).add(end)
  }

  #endsOf(node: string, remote: string): Set<End> {
    const key = `${node} > ${remote}`
    let ends = this.#ends.get(key)
    if (ends === undefined) {
      ends = new Set()
      this.#ends.set(key, ends)
    }
    return ends
  }

  #wakeLater(pipe: End['out']): void {
    const { loop } = this
    loop.at(loop.nowMs + this.random.next() * synRetryMs, Phase.streams, undefined, 'retransmit', () =>
      pipe?.wake(),
    )
  }

  #listen(machine: Machine, address: string, accept: (stream: Stream) => void): Listener {
    if (this.#listeners.has(address))
      throw new TransportError('address-in-use', `listening on ${address}: another node listens there`)
    this.#listeners.set(address, { machine, accept })
    return {
      address,
      close: async () => {
        if (this.#listeners.get(address)?.machine === machine) this.#listeners.delete(address)
      },
    }
  }

  #dial(machine: Machine, address: string): Stream {
    const remote = address.slice(0, address.indexOf(':'))
    const near = new End(this, machine, remote, address)
    this.#remember(near)
    this.#knock(near, address)
    return near
  }

  /** Sends a dial off; it is tried again while nothing answers. */
  #knock(near: End, address: string): void {
    const { loop } = this
    const there = this.path(near.machine.name, near.remote)
    loop.at(loop.nowMs + there.latencyMs, Phase.streams, undefined, 'dial', () => {
      if (near.closed) return
      if (there.isHole || this.isOff(near.remote)) {
        const again = () => this.#knock(near, address)
        loop.at(loop.nowMs + synRetryMs, Phase.streams, near.machine, 'dial again', again)
      } else this.#answer(near, address, there)
    })
  }

  #answer(near: End, address: string, there: Path): void {
    const { loop } = this
    const back = this.path(near.remote, near.machine.name)
    const listening = this.#listeners.get(address)
    if (listening === undefined || there.refusals > 0) {
      const refuse = () => near.fail('refused')
      loop.at(loop.nowMs + back.latencyMs, Phase.streams, near.machine, 'refused', refuse)
      return
    }
    loop.at(loop.nowMs, Phase.streams, listening.machine, 'accept', () => {
      if (near.closed) return
      const far = new End(this, listening.machine, near.machine.name, `${near.machine.name}:dialled`)
      this.#remember(far)
      End.join(near, far, there, back)
      far.out!.say('open')
      listening.accept(far)
    })
  }
}
