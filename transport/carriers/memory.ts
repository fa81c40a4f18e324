/**
 * Streams inside one process, for tests and simulations: a network of named hosts with faults on demand.
 *
 * Like TCP it is ordered and reliable while a stream lives, delivers later and never inside a call, cuts the bytes wherever it likes
 * (`sliceBytesMax`), and fills up (`bufferBytes`) when the other end does not read. Unlike TCP it can be cut, black-holed and healed.
 * Time and chance come from outside, so a run can be repeated.
 */
import { TransportError } from '../errors.ts'
import type { Carrier, Listener, Stream, Timers } from '../ports.ts'
import { MemoryStream } from './memory-stream.ts'

export interface MemoryNetworkOptions {
  readonly timers: Timers
  /** Time from a write to its delivery, ms; 0: at the end of the turn. */
  readonly latencyMs?: number
  /** Longest slice in which bytes arrive; Infinity: as they were written. */
  readonly sliceBytesMax?: number
  /** Unread bytes above which a stream is full. */
  readonly bufferBytes?: number
}

interface Listening {
  readonly host: string
  readonly accept: (stream: Stream) => void
}

export class MemoryNetwork {
  readonly timers: Timers
  readonly latencyMs: number
  readonly sliceBytesMax: number
  readonly bufferBytes: number
  readonly #listeners = new Map<string, Listening>()
  readonly #streams = new Set<MemoryStream>()
  readonly #cuts = new Set<string>()
  readonly #holes = new Set<string>()
  readonly #refusing = new Set<string>()
  #nextPort = 1

  constructor(options: MemoryNetworkOptions) {
    this.timers = options.timers
    this.latencyMs = options.latencyMs ?? 0
    this.sliceBytesMax = options.sliceBytesMax ?? Number.POSITIVE_INFINITY
    this.bufferBytes = options.bufferBytes ?? 64 * 1024
  }

  /** The carrier of the host called `host`; faults between hosts go by these names. */
  carrier(host: string): Carrier {
    return {
      listen: async (address, accept) => this.#listen(host, address, accept),
      dial: address => this.#dial(host, address),
    }
  }

  /** Ends every stream between two hosts with an error, and refuses new ones until {@link heal}. */
  cut(one: string, other: string): void {
    this.#cuts.add(way(one, other)).add(way(other, one))
    for (const stream of this.#streams) if (this.#isCut(stream)) stream.fail('cut')
  }

  /** Ends every stream between two hosts with an error, once. */
  reset(one: string, other: string): void {
    for (const stream of this.#streams)
      if (goes(stream, one, other) || goes(stream, other, one)) stream.fail('reset')
  }

  /** Nothing arrives at `target` from `source` any more, and nobody is told; both ways unless `oneWay`. {@link heal} delivers what was held. */
  blackHole(source: string, target: string, oneWay = false): void {
    this.#holes.add(way(source, target))
    if (!oneWay) this.#holes.add(way(target, source))
  }

  /** Takes cuts and black holes between two hosts away. */
  heal(one: string, other: string): void {
    for (const faults of [this.#cuts, this.#holes]) {
      faults.delete(way(one, other))
      faults.delete(way(other, one))
    }
    for (const stream of this.#streams) stream.deliverSoon()
  }

  /** Dials to `address` fail, although somebody listens there; `false` ends that. */
  refuse(address: string, refusing = true): void {
    if (refusing) this.#refusing.add(address)
    else this.#refusing.delete(address)
  }

  /** Streams that are open now, both ends of each counted. */
  get openStreams(): number {
    return this.#streams.size
  }

  /** Addresses that are listened on. */
  get listening(): readonly string[] {
    return [...this.#listeners.keys()]
  }

  /** Whether bytes from `source` are held back from `target`. */
  holds(source: string, target: string): boolean {
    return this.#holes.has(way(source, target))
  }

  forget(stream: MemoryStream): void {
    this.#streams.delete(stream)
  }

  #listen(host: string, address: string, accept: (stream: Stream) => void): Listener {
    const real = address.endsWith(':0') ? `${address.slice(0, -1)}${this.#nextPort++}` : address
    if (this.#listeners.has(real))
      throw new TransportError('address-in-use', `listening on ${real}: another node listens there`)
    this.#listeners.set(real, { host, accept })
    return {
      address: real,
      close: async () => void this.#listeners.delete(real),
    }
  }

  #dial(host: string, address: string): Stream {
    const target = this.#listeners.get(address)?.host ?? address
    const near = new MemoryStream(this, host, target, address)
    this.#streams.add(near)
    this.later(() => this.#connect(near, address))
    return near
  }

  #connect(near: MemoryStream, address: string): void {
    if (near.closed) return
    const listening = this.#listeners.get(address)
    if (listening === undefined || this.#refusing.has(address) || this.#isCut(near)) {
      near.fail('refused')
      return
    }
    if (this.holds(near.source, near.target) || this.holds(near.target, near.source)) {
      near.wait(() => this.#connect(near, address))
      return
    }
    const far = new MemoryStream(this, listening.host, near.source, `${near.source}:dialled`)
    this.#streams.add(far)
    near.join(far)
    far.join(near)
    listening.accept(far)
    near.open()
  }

  #isCut(stream: MemoryStream): boolean {
    return this.#cuts.has(way(stream.source, stream.target))
  }

  /** Runs `run` when what is sent now arrives. */
  later(run: () => void): void {
    if (this.latencyMs === 0) this.timers.soon(run)
    else this.timers.after(this.latencyMs, run)
  }
}

function way(source: string, target: string): string {
  return `${source} > ${target}`
}

function goes(stream: MemoryStream, source: string, target: string): boolean {
  return stream.source === source && stream.target === target
}
