/**
 * Streams over TLS 1.3 on which both ends show a certificate of one private authority. What they carry is hidden, and each end's
 * names are proven: `peerNames` come from the other's certificate, and the handshake above holds the claimed name against them.
 *
 * An accepted socket is a stream from its first byte on, not only when its TLS handshake is done; so the mesh's cap and its one deadline
 * cover both. Nothing the other end says is handed on before its certificate holds.
 * No session is ever resumed: a link lives for days, and a session cache is one more thing that grows. Source: R14 s20.
 */
import type { X509Certificate } from 'node:crypto'
import type net from 'node:net'
import tls from 'node:tls'
import type { Carrier, Listener, Stream, StreamHandler } from '../ports.ts'
import { parseAddress } from './address.ts'
import { backlog, fullBytes, listenError, listenerOf, messageOf, remoteAddressOf, writeTo } from './tcp.ts'
import { alpnProtocol, type Credentials, namesIn, Trust } from './tls-trust.ts'

export class TlsCarrier implements Carrier {
  #trust: Trust
  readonly #servers = new Set<tls.Server>()
  /** Proven streams, to be looked at again when the authorities change. */
  readonly #proven = new Set<TlsStream>()

  /** @throws TransportError `bad-certificate` */
  constructor(credentials: Credentials) {
    this.#trust = new Trust(credentials)
  }

  /** The node names that our own certificate proves. */
  get names(): readonly string[] {
    return this.#trust.names
  }

  /** When our own certificate expires. */
  get validUntil(): Date {
    return this.#trust.validUntil
  }

  /**
   * Uses these from now on. Streams whose certificate none of the new authorities has issued end, with `onUnproven` before
   * this returns; all others go on as they are, also when their certificate has expired since they began.
   *
   * @throws TransportError `bad-certificate`; then nothing has changed
   */
  renew(credentials: Credentials): void {
    this.#trust = new Trust(credentials)
    for (const server of this.#servers) server.setSecureContext(this.#trust.contextOptions)
    for (const stream of [...this.#proven]) stream.recheck()
  }

  listen(address: string, accept: (stream: Stream) => void): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const { host, port } = parseAddress(address)
      const handshaking = new Map<string, TlsStream>()
      const server = tls.createServer({
        ...this.#trust.contextOptions,
        requestCert: true,
        // Node would end a stranger's stream without a word; #doubt looks, and ends it with a reason that both ends hear.
        rejectUnauthorized: false,
        ALPNProtocols: [alpnProtocol],
        noDelay: true,
        highWaterMark: fullBytes,
      })
      server.on('connection', (socket: net.Socket) => {
        const place = placeOf(socket)
        const stream = new TlsStream(remoteAddressOf(socket), socket, this.#host)
        handshaking.set(place, stream)
        socket.once('close', () => {
          if (handshaking.get(place) === stream) handshaking.delete(place)
        })
        accept(stream)
      })
      server.on('secureConnection', socket => {
        const place = placeOf(socket)
        const stream = handshaking.get(place)
        handshaking.delete(place)
        if (stream === undefined) socket.destroy()
        else stream.established(socket)
      })
      server.on('tlsClientError', (error, socket) => handshaking.get(placeOf(socket))?.failed(error))
      // From now on, so that credentials that are renewed meanwhile reach it.
      this.#servers.add(server)
      server.once('close', () => this.#servers.delete(server))
      server.once('error', error => {
        this.#servers.delete(server)
        reject(listenError(address, error))
      })
      server.listen({ host, port, backlog }, () => {
        // As in tcp.ts: a listener that fails later keeps listening.
        server.on('error', () => {})
        resolve(listenerOf(server))
      })
    })
  }

  dial(address: string): Stream {
    return new TlsStream(address, undefined, this.#host)
  }

  readonly #host: TlsStreamHost = {
    trust: () => this.#trust,
    proven: stream => void this.#proven.add(stream),
    gone: stream => void this.#proven.delete(stream),
  }
}

const notOurs = 'its certificate was not issued by an authority of ours'

/** What a stream asks of its carrier. */
interface TlsStreamHost {
  /** The one in force now. */
  trust(): Trust
  proven(stream: TlsStream): void
  gone(stream: TlsStream): void
}

/** One socket: raw while an accepted one is in its TLS handshake, the secured one afterwards. Dialled when it is attached. */
class TlsStream implements Stream {
  readonly remoteAddress: string
  readonly isChecked = true
  /** Nothing is proven until the TLS handshake is done. */
  peerNames: readonly string[] = []
  readonly #host: TlsStreamHost
  #raw: net.Socket | undefined
  #secured: tls.TLSSocket | undefined
  /** What the other end showed. */
  #certificate: X509Certificate | undefined
  #handler: StreamHandler | undefined
  #error: string | undefined
  #closed = false
  #paused = false
  /** Written before there was anybody who may read it. */
  readonly #early: Uint8Array[] = []

  constructor(remoteAddress: string, accepted: net.Socket | undefined, host: TlsStreamHost) {
    this.remoteAddress = remoteAddress
    this.#host = host
    this.#raw = accepted
  }

  attach(handler: StreamHandler): void {
    this.#handler = handler
    if (this.#raw === undefined) this.#dial(handler)
    else {
      this.#raw.on('error', error => this.failed(error))
      this.#raw.once('close', () => {
        if (this.#secured === undefined) this.#close()
      })
    }
  }

  write(chunks: readonly Uint8Array[]): boolean {
    if (this.#secured !== undefined) return writeTo(this.#secured, chunks)
    this.#early.push(...chunks)
    return true
  }

  end(): void {
    if (this.#secured === undefined) this.destroy()
    else this.#secured.end()
  }

  destroy(): void {
    ;(this.#secured ?? this.#raw)?.destroy()
  }

  pause(): void {
    this.#paused = true
    this.#secured?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#secured?.resume()
  }

  /** The TLS handshake is done, whoever it was with. */
  established(socket: tls.TLSSocket): void {
    const dialled = this.#raw === socket
    const handler = this.#handler!
    this.#secured = socket
    socket.on('drain', () => handler.onDrain())
    if (!dialled) {
      socket.on('error', error => this.failed(error))
      socket.once('close', () => this.#close())
    }
    // Asked once: a dialled socket gives it away, and has none the second time.
    this.#certificate = socket.getPeerX509Certificate()
    const doubt = this.#doubt(socket)
    if (doubt !== undefined) {
      this.#distrust(doubt)
      return
    }
    this.peerNames = namesIn(this.#certificate!)
    this.#host.proven(this)
    socket.on('data', bytes => handler.onData(bytes))
    if (this.#paused) socket.pause()
    if (this.#early.length > 0) writeTo(socket, this.#early.splice(0))
    if (dialled) handler.onOpen()
  }

  /** Keeps the first error for `onClose`, and ends the socket: after a damaged record Node says so and leaves it open. */
  failed(error: Error): void {
    this.#error ??= messageOf(error)
    this.destroy()
  }

  /** Other authorities are in force. */
  recheck(): void {
    if (!this.#host.trust().issued(this.#certificate!)) this.#distrust(notOurs)
  }

  #dial(handler: StreamHandler): void {
    try {
      const { host, port } = parseAddress(this.remoteAddress)
      const socket = tls.connect({
        host,
        port,
        secureContext: this.#host.trust().context,
        ALPNProtocols: [alpnProtocol],
        rejectUnauthorized: true,
        // An address is no name: which node answers is checked above, against `peerNames`.
        checkServerIdentity: () => undefined,
        highWaterMark: fullBytes,
      } as tls.ConnectionOptions)
      socket.setNoDelay(true)
      this.#raw = socket
      socket.once('secureConnect', () => this.established(socket))
      socket.on('error', error => {
        if (socket.authorizationError) handler.onUnproven?.(refusedFor(socket))
        this.failed(error)
      })
      socket.once('close', () => this.#close())
    } catch (error) {
      setImmediate(() => handler.onClose(messageOf(error)))
    }
  }

  /** Why the other end is not believed; `undefined` if it is. */
  #doubt(socket: tls.TLSSocket): string | undefined {
    if (socket.alpnProtocol !== alpnProtocol) return `does not speak ${alpnProtocol}`
    if (this.#certificate === undefined) return 'shows no certificate'
    if (!socket.authorized) return refusedFor(socket)
    // Also when other authorities came into force during the handshake.
    if (!this.#host.trust().issued(this.#certificate)) return notOurs
    return undefined
  }

  #distrust(why: string): void {
    const socket = this.#secured!
    this.peerNames = []
    this.#host.gone(this)
    socket.removeAllListeners('data')
    // Read on, into nothing, so that the end of the stream is seen.
    socket.resume()
    this.#handler!.onUnproven?.(why)
    socket.end()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#host.gone(this)
    this.#handler!.onClose(this.#error)
  }
}

function refusedFor(socket: tls.TLSSocket): string {
  return `certificate refused: ${socket.authorizationError}`
}

/** The other end of a live socket; no two streams of one listener share it. */
function placeOf(socket: net.Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}
