/**
 * A faulty line: a TCP proxy on loopback before one address, whose faults are switched while connections live.
 *
 *   dialler ──there──▶ proxy ──there──▶ target
 *           ◀──back───       ◀──back───
 *
 * Each direction has faults of its own (fault-way.ts); resets and refusals concern whole connections. Chance comes from a seed, so that the
 * same bytes are damaged in the same places. A black hole from the start is a half-open connection: accepted, and never read.
 */
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { seededRandom } from '../unit/transport/manual-clock.ts'
import { type Direction, type Faults, FaultWay, faultless } from './fault-way.ts'

export type Way = 'there' | 'back'

export interface FaultProxyOptions {
  readonly seed?: number
  /** Where to listen; any free port unless told. */
  readonly port?: number
}

interface Connection {
  readonly ends: readonly [dialler: Socket, target: Socket]
  /** Once the target is connected to. */
  ways: readonly FaultWay[]
}

export class FaultProxy implements AsyncDisposable {
  /** Connections since the start. */
  accepted = 0
  /** New connections are reset at once. */
  refusing = false
  readonly #server: net.Server
  readonly #target: { readonly host: string; readonly port: number }
  readonly #random: () => number
  readonly #directions: Record<Way, Direction> = { there: newDirection(), back: newDirection() }
  readonly #connections = new Set<Connection>()

  private constructor(target: string, seed: number) {
    const [host, port] = target.split(':')
    this.#target = { host: host!, port: Number(port) }
    this.#random = seededRandom(seed).next
    this.#server = net.createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, socket =>
      this.#accept(socket),
    )
  }

  /** Listens before `target`, `host:port`, which need not be there yet; begins without faults. */
  static async start(target: string, { seed = 1, port = 0 }: FaultProxyOptions = {}): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, seed)
    proxy.#server.listen(port, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  /** What to dial instead of the target. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#connections.size
  }

  passedBytes(way: Way): number {
    return this.#directions[way].passedBytes
  }

  flippedBits(way: Way): number {
    return this.#directions[way].flippedBits
  }

  /** Gives a direction these faults and no others; `{}` heals it. */
  set(way: Way, faults: Partial<Faults>): void {
    this.#directions[way].faults = { ...faultless, ...faults }
    for (const connection of this.#connections) {
      this.#connect(connection)
      for (const each of connection.ways) each.changed()
    }
  }

  /** {@link set}, for both directions. */
  setBoth(faults: Partial<Faults>): void {
    this.set('there', faults)
    this.set('back', faults)
  }

  /** Swallows the next `bytes` of a direction, and goes on behind them. */
  lose(way: Way, bytes: number): void {
    this.#directions[way].loseBytes += bytes
  }

  /** Resets every connection that is open now, once. */
  reset(): void {
    for (const { ends } of this.#connections) for (const end of ends) end.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.refusing = true
    for (const { ends, ways } of this.#connections) {
      for (const way of ways) way.stop()
      for (const end of ends) end.destroy()
    }
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(dialler: Socket): void {
    if (this.refusing) {
      dialler.resetAndDestroy()
      return
    }
    this.accepted += 1
    const target = new net.Socket({ allowHalfOpen: true })
    target.setNoDelay(true)
    const connection: Connection = { ends: [dialler, target], ways: [] }
    this.#connections.add(connection)
    for (const end of connection.ends) {
      // Whatever ends an end is told to the other by its close.
      end.on('error', () => {})
      end.on('close', () => {
        if (connection.ends.every(each => each.destroyed)) this.#connections.delete(connection)
      })
    }
    this.#connect(connection)
  }

  /** Goes on to the target, unless a black hole keeps it from being reached. */
  #connect(connection: Connection): void {
    const { there, back } = this.#directions
    if (connection.ways.length > 0 || there.faults.blackHole) return
    const [dialler, target] = connection.ends
    const reset = () => {
      for (const end of connection.ends) end.resetAndDestroy()
    }
    connection.ways = [
      new FaultWay(dialler, target, there, this.#random, reset),
      new FaultWay(target, dialler, back, this.#random, reset),
    ]
    target.connect(this.#target)
  }
}

function newDirection(): Direction {
  return { faults: faultless, loseBytes: 0, passedBytes: 0, flippedBits: 0 }
}
