/**
 * The few things that are said to Consul, over the npm client `consul`.
 *
 * Adapts what that client does differently: an AbortSignal instead of its `ctx` emitter, a time limit on every call
 * (without one a half answered request never ends), and errors that fit on a line and carry Consul's own words. Keys are
 * read raw: the client's decoding of a JSON answer throws outside of its promise when the answer is not what it expects.
 *
 * Invariant: every call settles within its time limit, and an answer without Consul's index is no answer of Consul's.
 */
import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import Consul from 'consul'
import { parseAddress } from './address.ts'
import { messageOf, sourceError } from './config-error.ts'

/** Which Consul, and how it is spoken to. */
export interface ConsulOptions {
  /** The agent's HTTP address, `host:port`; default `127.0.0.1:8500`. */
  readonly address?: string | undefined
  /** Speak TLS to it. */
  readonly secure?: boolean | undefined
  /** An ACL token. */
  readonly token?: string | undefined
  /**
   * Whose keys are meant: Consul keeps them per datacenter, and its agents pass the question on. Default: the
   * agent's own.
   */
  readonly datacenter?: string | undefined
}

/**
 * What a key holds: `text` is `undefined` when there is no such key. `index` only grows, unless Consul lost its
 * state.
 */
export interface KeyAnswer {
  readonly index: bigint
  readonly text: string | undefined
}

/** A node as Consul lists it. */
export interface ConsulService {
  readonly id: string
  readonly name: string
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, string>>
  readonly address: string
  readonly port: number
  readonly ttlMs: number
  readonly forgetMs: number
}

/** Where the configuration of the meta-cluster `id` lies in Consul. */
export function configKey(id: string): string {
  return `wandist/${id}/config`
}

export class ConsulClient {
  /** For people: `consul://127.0.0.1:8500`. */
  readonly url: string
  readonly #client: Client
  readonly #common: { readonly token?: string }
  readonly #datacenter: { readonly dc?: string }

  /** @throws {ConfigError} `invalid` when the address is not `host:port` */
  constructor(options: ConsulOptions) {
    const text = options.address ?? '127.0.0.1:8500'
    const address = parseAddress(text)
    if (address === undefined) throw sourceError('invalid', 'consul', `address is not host:port: "${text}"`)
    this.url = `consul://${text}`
    this.#common = options.token === undefined ? {} : { token: options.token }
    this.#datacenter = options.datacenter === undefined ? {} : { dc: options.datacenter }
    const host = address.host.includes(':') ? `[${address.host}]` : address.host
    // The package's types know neither `ctx` nor time limits nor that it may answer with the response.
    this.#client = new Consul({
      host,
      port: address.port,
      secure: options.secure ?? false,
    }) as unknown as Client
  }

  /** Reads a key at once. */
  readKey(key: string, timeoutMs: number, signal?: AbortSignal): Promise<KeyAnswer> {
    return this.#readKey({ key }, timeoutMs, signal)
  }

  /** Reads a key when its index is above `index`, or after `waitMs` (and up to a sixteenth more) as it is. */
  awaitKey(
    key: string,
    index: bigint,
    waitMs: number,
    answerMsMax: number,
    signal: AbortSignal,
  ): Promise<KeyAnswer> {
    const timeoutMs = waitMs + waitMs / 16 + answerMsMax
    return this.#readKey({ key, index: String(index), wait: `${waitMs}ms` }, timeoutMs, signal)
  }

  /** Writes a key if its index is still `index` (0: if there is no such key); false when it is not. */
  async writeKey(key: string, value: string, index: bigint, timeoutMs: number): Promise<boolean> {
    const [, written] = await this.#call(timeoutMs, undefined, call =>
      this.#client.kv.set({ ...call, ...this.#datacenter, key, value, cas: String(index) }),
    )
    return written === true
  }

  /** Registers a service with the agent, passing, or again with the same id. */
  async register(service: ConsulService, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { ttlMs, forgetMs, ...listed } = service
    const check = { ttl: `${ttlMs}ms`, status: 'passing', deregistercriticalserviceafter: `${forgetMs}ms` }
    await this.#call(timeoutMs, signal, call =>
      this.#client.agent.service.register({ ...call, ...listed, check }),
    )
  }

  /** Says that a service still lives. Rejects when the agent does not know it. */
  async pass(serviceId: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    await this.#call(timeoutMs, signal, call =>
      this.#client.agent.check.pass({ ...call, id: `service:${serviceId}` }),
    )
  }

  async deregister(id: string, timeoutMs: number): Promise<void> {
    await this.#call(timeoutMs, undefined, call => this.#client.agent.service.deregister({ ...call, id }))
  }

  /** Closes the connections; calls that are under way reject. */
  close(): void {
    this.#client.destroy()
  }

  async #readKey(
    question: { key: string; index?: string; wait?: string },
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<KeyAnswer> {
    const [response, body] = await this.#call(timeoutMs, signal, call =>
      this.#client.kv.get({ ...call, ...this.#datacenter, ...question, raw: true }),
    )
    const index = response.headers['x-consul-index']
    if (typeof index !== 'string' || !/^[0-9]{1,20}$/.test(index)) {
      throw new Error('an answer that is not Consul’s (no X-Consul-Index)')
    }
    if (response.statusCode === 404) return { index: BigInt(index), text: undefined }
    return {
      index: BigInt(index),
      text: new TextDecoder('utf-8', { fatal: true }).decode(body ?? new Uint8Array()),
    }
  }

  async #call<T>(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    run: (call: Call) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted()
    const ctx = Object.assign(new EventEmitter(), { includeResponse: true })
    const cancel = () => void ctx.emit('cancel')
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await run({ ...this.#common, ctx, timeout: Math.ceil(timeoutMs) })
    } catch (error) {
      throw new Error(explain(error as ClientError, timeoutMs), { cause: error })
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }
}

/** What the client makes of a failure, in one line: `HTTP 500: No cluster leader`, `no answer within 2000 ms`. */
function explain(error: ClientError, timeoutMs: number): string {
  if (error.isTimeout === true) return `no answer within ${Math.ceil(timeoutMs)} ms`
  const { response } = error
  if (response?.statusCode === undefined) return messageOf(error).replace(/^consul: [a-z.]+: /, '')
  const said =
    Buffer.isBuffer(response.body) || typeof response.body === 'string' ? String(response.body) : ''
  const line = said.split('\n', 1)[0]!.trim().slice(0, 120)
  return line === '' ? `HTTP ${response.statusCode}` : `HTTP ${response.statusCode}: ${line}`
}

interface Response {
  readonly statusCode?: number
  readonly headers: IncomingHttpHeaders
  readonly body?: unknown
}

type ClientError = Error & { readonly response?: Response; readonly isTimeout?: boolean }

/** What every call of the client takes. */
interface Call {
  readonly ctx: EventEmitter
  readonly timeout: number
  readonly token?: string
}

/** The part of the npm client that is used here, as it behaves with `ctx.includeResponse`. */
interface Client {
  readonly kv: {
    get(
      call: Call & { key: string; raw: true; index?: string; wait?: string; dc?: string },
    ): Promise<[Response, Buffer?]>
    set(call: Call & { key: string; value: string; cas: string; dc?: string }): Promise<[Response, unknown]>
  }
  readonly agent: {
    readonly service: {
      register(
        call: Call & Omit<ConsulService, 'ttlMs' | 'forgetMs'> & { check: Record<string, string> },
      ): Promise<unknown>
      deregister(call: Call & { id: string }): Promise<unknown>
    }
    readonly check: { pass(call: Call & { id: string }): Promise<unknown> }
  }
  destroy(): void
}
