/**
 * Streams over TCP. Reads go through `onread` into one 64 KiB buffer that all streams of the thread share: a read is handed on
 * before the next one begins, so nothing is allocated per read and an idle stream owns no buffer.
 *
 * Writes are batched above (queue.ts), hence `noDelay`. A write is "full" when the kernel took less than the stream was given and
 * more than `fullBytes` wait in user space.
 */
import net from 'node:net'
import { TransportError } from '../errors.ts'
import type { Carrier, Listener, Stream, StreamHandler } from '../ports.ts'
import { formatAddress, parseAddress } from './address.ts'

const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)
/** Above this many unwritten bytes in user space a stream is full. */
export const fullBytes = 64 * 1024
/** Connections that the kernel completes before we accept them; enough for a mass reconnect. */
export const backlog = 1024

/** Who vanished without a word is found by the kernel's own probes, at no cost to us: a phone has no heartbeat of ours. */
const serverOptions = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  highWaterMark: fullBytes,
}

export const tcpCarrier: Carrier = {
  listen(address, accept) {
    return new Promise((resolve, reject) => {
      const { host, port } = parseAddress(address)
      const server = net.createServer(serverOptions, socket =>
        accept(new TcpStream(remoteAddressOf(socket), socket)),
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
    return new TcpStream(address, undefined)
  },
}

/** One socket; dialled when it is attached. */
class TcpStream implements Stream {
  readonly remoteAddress: string
  #socket: net.Socket | undefined
  #error: string | undefined

  constructor(remoteAddress: string, accepted: net.Socket | undefined) {
    this.remoteAddress = remoteAddress
    this.#socket = accepted
  }

  attach(handler: StreamHandler): void {
    if (this.#socket === undefined) this.#dial(handler)
    else this.#socket.on('data', (bytes: Buffer) => handler.onData(bytes))
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

  #dial(handler: StreamHandler): void {
    try {
      const { host, port } = parseAddress(this.remoteAddress)
      this.#socket = net.connect({
        host,
        port,
        noDelay: true,
        highWaterMark: fullBytes,
        onread: {
          buffer: readBuffer,
          callback: bytesRead => {
            handler.onData(new Uint8Array(readBuffer.buffer, readBuffer.byteOffset, bytesRead))
            return true
          },
        },
      } as net.NetConnectOpts)
      this.#socket.once('connect', () => handler.onOpen())
    } catch (error) {
      setImmediate(() => handler.onClose(messageOf(error)))
    }
  }
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
