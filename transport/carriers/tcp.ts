/**
 * Streams over TCP. A read goes where its stream wants it (`room`), else into one buffer that all streams of the carrier share: it is
 * handed on before the next one begins, so nothing is allocated per read and an idle stream owns no buffer.
 *
 * Writes are batched above (queue.ts), hence `noDelay`. A write is "full" when the kernel took less than the stream was given and
 * more than `fullBytes` wait in user space.
 */
import net from 'node:net'
import { TransportError } from '../errors.ts'
import type { Carrier, Listener, Stream, StreamHandler } from '../ports.ts'
import { formatAddress, parseAddress } from './address.ts'

/** Above this many unwritten bytes in user space a stream is full. */
export const fullBytes = 64 * 1024
/** Connections that the kernel completes before we accept them; enough for a mass reconnect. */
export const backlog = 1024

export interface TcpOptions {
  /**
   * Most bytes that one read takes.
   * More: fewer system calls under load. Costs: that much memory, once; and others of this loop wait while it is worked through.
   * Source: R12 s28, R14 s24: distribution receive buffers raised from 4 KiB to 256 KiB.
   */
  readonly readBytes: number
}

/** Who vanished without a word is found by the kernel's own probes, at no cost to us: a phone has no heartbeat of ours. */
const serverOptions = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  highWaterMark: fullBytes,
  // Nothing may be read before the stream has its own way of reading.
  pauseOnConnect: true,
}

/** A carrier of its own read buffer. */
export function newTcpCarrier({ readBytes }: TcpOptions): Carrier {
  const readBuffer = Buffer.allocUnsafeSlow(readBytes)
  return {
    listen(address, accept) {
      return new Promise((resolve, reject) => {
        const { host, port } = parseAddress(address)
        const server = net.createServer(serverOptions, socket =>
          accept(new TcpStream(remoteAddressOf(socket), socket, readBuffer)),
        )
        server.once('error', error => reject(listenError(address, error)))
        server.listen({ host, port, backlog }, () => {
          // A listener that fails later (out of descriptors) keeps listening; the dialler sees a dead dial and tries again.
          server.on('error', () => {})
          resolve(listenerOf(server))
        })
      })
    },

    dial(address) {
      return new TcpStream(address, undefined, readBuffer)
    },
  }
}

/** For nodes in service. */
export const tcpCarrier: Carrier = newTcpCarrier({ readBytes: 64 * 1024 })

/** One socket; dialled when it is attached. */
class TcpStream implements Stream {
  readonly remoteAddress: string
  readonly #readBuffer: Buffer
  #socket: net.Socket | undefined
  #error: string | undefined

  constructor(remoteAddress: string, accepted: net.Socket | undefined, readBuffer: Buffer) {
    this.remoteAddress = remoteAddress
    this.#socket = accepted
    this.#readBuffer = readBuffer
  }

  /** What the kernel has taken at once is copied; only what it has not is still in use. */
  get isWrittenOut(): boolean {
    return this.#socket?.writableLength === 0
  }

  attach(handler: StreamHandler): void {
    const reading = this.#readingInto(handler)
    this.#socket = this.#socket === undefined ? this.#dial(handler, reading) : accepted(this.#socket, reading)
    const socket = this.#socket
    if (socket === undefined) return
    socket.on('drain', () => handler.onDrain())
    socket.on('error', error => {
      this.#error = messageOf(error)
    })
    socket.on('close', () => handler.onClose(this.#error))
  }

  write(chunks: readonly Uint8Array[]): boolean {
    return this.#socket === undefined || writeTo(this.#socket, chunks)
  }

  end(): void {
    this.#socket?.end()
  }

  destroy(): void {
    this.#socket?.destroy()
  }

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  #readingInto(handler: StreamHandler): net.OnReadOpts {
    let buffer: Uint8Array = this.#readBuffer
    return {
      buffer: () => {
        buffer = handler.room?.() ?? this.#readBuffer
        return buffer
      },
      callback: bytesRead => {
        handler.onData(new Uint8Array(buffer.buffer, buffer.byteOffset, bytesRead))
        return true
      },
    }
  }

  #dial(handler: StreamHandler, onread: net.OnReadOpts): net.Socket | undefined {
    try {
      const { host, port } = parseAddress(this.remoteAddress)
      const options = { host, port, noDelay: true, highWaterMark: fullBytes, onread }
      const socket = net.connect(options as net.NetConnectOpts)
      socket.once('connect', () => handler.onOpen())
      return socket
    } catch (error) {
      setImmediate(() => handler.onClose(messageOf(error)))
      return undefined
    }
  }
}

/** What a paused socket has from its server, as a socket that reads in its own way; Node offers that to dialled ones only. */
function accepted(paused: net.Socket, onread: net.OnReadOpts): net.Socket {
  const holder = paused as unknown as { _handle: unknown }
  const handle = holder._handle
  // Gone while it waited to be accepted: it will say so itself.
  if (handle === null) return paused
  holder._handle = null
  const socket = new net.Socket({ handle, onread, highWaterMark: fullBytes } as net.SocketConstructorOpts)
  // The server counts its own sockets, and closes when the last is destroyed.
  socket.once('close', () => paused.destroy())
  return socket
}

/** Queues chunks in one write; false means full. A socket that is on its way out takes them without a word. */
export function writeTo(socket: net.Socket, chunks: readonly Uint8Array[]): boolean {
  if (socket.destroyed || socket.writableEnded) return true
  if (chunks.length === 1) socket.write(chunks[0]!)
  else {
    socket.cork()
    for (const chunk of chunks) socket.write(chunk)
    socket.uncork()
  }
  return socket.writableLength < fullBytes
}

/** A server that listens, as a {@link Listener}. */
export function listenerOf(server: net.Server): Listener {
  const { address, port } = server.address() as net.AddressInfo
  return {
    address: formatAddress(address, port),
    close: () => new Promise(resolve => server.close(() => resolve())),
  }
}

/** The other end of an accepted socket, for people. */
export function remoteAddressOf(socket: net.Socket): string {
  return formatAddress(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0)
}

/** Why `address` could not be had. */
export function listenError(address: string, error: NodeJS.ErrnoException): TransportError {
  return error.code === 'EADDRINUSE'
    ? new TransportError('address-in-use', `listening on ${address}: another process listens there`)
    : new TransportError('address-unavailable', `listening on ${address}: ${messageOf(error)}`)
}

/** What a stream tells of an error: its code where it has one. */
export function messageOf(error: unknown): string {
  if (error instanceof TransportError) return error.message
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error)
}
