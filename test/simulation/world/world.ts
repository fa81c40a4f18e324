/**
 * A world: nodes on virtual time and a network, the faults that are in force, and who watches.
 *
 *   Script ─▶ World ─▶ deeds at their times ─▶ nodes, network ─▶ observers
 *
 * Two ages. In the first, faults come and go. Then `heal` chooses: what is wrong inside the core ends, all other faults stay
 * for good, and no new ones come.
 */

import type { PartitionTable } from '../../../routing/index.ts'
import { type MeshOptions, newCreation } from '../../../transport/index.ts'
import { Network } from '../network/network.ts'
import { type Observer, Violation } from '../observer.ts'
import type { Plant } from '../plants/plant.ts'
import { type Script, service, tableOf } from '../script.ts'
import { EventHash } from './event-hash.ts'
import { Loop } from './loop.ts'
import { wallStartMs } from './machine.ts'
import { SimNode } from './node.ts'
import { Traffic } from './traffic.ts'

/** The shortest time between two starts of a node. */
const restartMsMin = 100

/** A fault in force. */
export interface Fault {
  /** Nodes that it touches; inside the core only if all of them are. */
  readonly nodes: readonly string[]
  end(): void
}

/** What an observer can be told, and with what. */
type Told = {
  [K in Exclude<keyof Observer, 'name' | 'step' | 'look' | 'lacking'>]-?: NonNullable<Observer[K]> extends (
    ...told: infer T
  ) => void
    ? T
    : never
}

export class World {
  readonly script: Script
  readonly preset: MeshOptions | undefined
  readonly hash = new EventHash()
  readonly loop: Loop
  readonly network: Network
  readonly traffic: Traffic
  readonly tables: ReadonlyMap<string, PartitionTable>
  /** Those that live, by name. */
  readonly nodes = new Map<string, SimNode>()
  /** Every start of every node, in order. */
  readonly starts: SimNode[] = []
  /** How often rare things happened. */
  readonly sightings = new Map<string, number>()
  /** When the second age began; Infinity in the first. */
  healedAtMs = Number.POSITIVE_INFINITY
  readonly #observers: readonly Observer[]
  readonly #plant: Plant | undefined
  readonly #faults = new Set<Fault>()
  readonly #wallOffsetsMs = new Map<string, number>()
  #broken: unknown

  /** @param preset limits of the nodes' meshes, where they are not the tiny ones of a script */
  constructor(
    script: Script,
    observers: readonly Observer[],
    plant?: Plant | undefined,
    preset?: MeshOptions | undefined,
  ) {
    this.script = script
    this.preset = preset
    this.#observers = observers
    this.#plant = plant
    this.loop = new Loop(this.hash)
    this.network = new Network(script.seed, script.weather, this.loop)
    this.traffic = new Traffic(this)
    this.tables = new Map([[service, tableOf(script)]])
    this.network.seen = what => this.seen(what)
    this.loop.afterEvent = machine => {
      if (this.#broken !== undefined) throw this.#broken
      const node = machine && this.nodes.get(machine.name)
      if (node !== undefined) for (const observer of this.#observers) observer.step?.(node)
    }
    for (const name of script.nodes) this.loop.worldAt(0, () => this.start(name))
  }

  get nowMs(): number {
    return this.loop.nowMs
  }

  /** Whether anybody looks at memberships one by one. */
  get isObserved(): boolean {
    return this.#observers.length > 0
  }

  isCore(node: string): boolean {
    return this.script.core.includes(node)
  }

  /** Tells all observers. What they throw ends the run after this event, not here, where the product might catch it. */
  tell<K extends keyof Told>(what: K, ...told: Told[K]): void {
    try {
      for (const observer of this.#observers)
        (observer[what] as ((...told: Told[K]) => void) | undefined)?.(...told)
    } catch (error) {
      this.#broken ??= error
    }
  }

  /** Something rare has happened. */
  seen(what: string): void {
    this.sightings.set(what, (this.sightings.get(what) ?? 0) + 1)
  }

  /** Something that may never happen was heard of; the run ends with it after this event. */
  complain(what: string): void {
    this.#broken ??= new Violation('no surprises', what)
  }

  /** Looks everywhere, as observers want now and then. */
  look(): void {
    for (const observer of this.#observers) observer.look?.(this)
  }

  /** What the core still lacks. */
  lacking(): { readonly checker: string; readonly detail: string } | undefined {
    for (const observer of this.#observers) {
      const detail = observer.lacking?.(this)
      if (detail !== undefined) return { checker: observer.name, detail }
    }
    return undefined
  }

  /** Starts a node, or starts it again. */
  start(name: string): void {
    if (this.nodes.has(name)) return
    this.network.powerOn(name)
    const earlier = this.starts.filter(node => node.name === name)
    // A clock that was set back may come to the decisecond of an earlier start: the product has nothing against that.
    while (earlier.some(({ creation }) => creation === this.#creationNow(name)))
      this.setWallOffset(name, this.wallOffsetMs(name) + 100)
    const start = earlier.length
    const node = new SimNode(this, name, start, this.#plant)
    this.hash.add('start', this.nowMs, name)
    this.nodes.set(name, node)
    this.starts.push(node)
    this.tell('started', node)
    node.begin().catch(error => this.complain(`${name} does not start: ${error}`))
  }

  /** Kills a node; `isOff` takes its machine's power, so that nobody hears of it. */
  crash(name: string, isOff: boolean): void {
    const node = this.nodes.get(name)
    if (node === undefined) return
    this.hash.add('crash', this.nowMs, name)
    this.nodes.delete(name)
    this.network.crash(node.machine, isOff)
    this.tell('ended', node)
  }

  /** Stops a node in order; `stopped` runs when it is done. */
  stop(name: string, stopped: () => void): void {
    const node = this.nodes.get(name)
    if (node === undefined || node.isStopping) return
    this.hash.add('stop', this.nowMs, name)
    node.stop().then(
      () => {
        // It may have been killed while it stopped.
        if (node.machine.isDead) return
        this.nodes.delete(name)
        this.network.crash(node.machine, false)
        this.tell('ended', node)
        stopped()
      },
      error => this.complain(`${name} does not stop: ${error}`),
    )
  }

  /** Puts a fault in force, for a time; without one for good, or until the core is healed. */
  suffer(forMs: number, nodes: readonly string[], begin: () => void, end: () => void): void {
    const fault = { nodes, end }
    this.hash.add('fault', this.nowMs, nodes.join())
    this.#faults.add(fault)
    begin()
    this.loop.worldAt(this.nowMs + forMs, () => {
      const staysForGood = this.nowMs >= this.healedAtMs && !this.#isInside(fault)
      if (!staysForGood && this.#faults.delete(fault)) end()
    })
  }

  /** The second age begins. */
  heal(): void {
    this.healedAtMs = this.nowMs
    for (const fault of [...this.#faults])
      if (this.#isInside(fault) && this.#faults.delete(fault)) fault.end()
    // Not at once: two starts of a node within a tenth of a second would be one and the same to the others.
    for (const name of this.script.core) this.loop.worldAt(this.nowMs + restartMsMin, () => this.start(name))
  }

  /** How wrong a node's wall clock is. */
  wallOffsetMs(node: string): number {
    return this.#wallOffsetsMs.get(node) ?? 0
  }

  /** A node's wall clock jumps. */
  setWallOffset(node: string, offsetMs: number): void {
    this.hash.add('clock', this.nowMs, `${node} ${offsetMs}`)
    this.#wallOffsetsMs.set(node, offsetMs)
  }

  #creationNow(node: string): number {
    return newCreation({ nowMs: () => 0, wallMs: () => wallStartMs + this.nowMs + this.wallOffsetMs(node) })
  }

  /** Touches only nodes of the core. */
  #isInside(fault: Fault): boolean {
    return fault.nodes.every(node => this.isCore(node))
  }
}
