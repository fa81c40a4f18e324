/**
 * The admin endpoint of a node: its process for other nodes' questions, its Unix socket for operators, and, where the
 * configuration gives it an address, metrics and health over HTTP.
 *
 *   wand ─▶ <run directory>/<node>.sock ─▶ Routes ─▶ Gatherer ─▶ AdminProcess of every node (over the mesh)
 *   Prometheus ─▶ host:port/metrics        load balancer ─▶ host:port/readyz
 *
 * Invariant: whatever comes in by either door, the node goes on; and nothing but the socket can change anything.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { parseAddress } from '../cluster-config/index.ts'
import { Answerer } from './admin/answer.ts'
import { DiffRoutes } from './admin/diff-routes.ts'
import { DiversionRoutes } from './admin/diversion-routes.ts'
import { watchDrain } from './admin/drain-watch.ts'
import { Gatherer } from './admin/gather.ts'
import { HistoryRoutes } from './admin/history-routes.ts'
import { listenOnAddress, listenOnSocket, makeServer } from './admin/listen.ts'
import { AdminProcess } from './admin/process.ts'
import { adminIndex } from './admin/queries.ts'
import { type Document, RequestError, Routes } from './admin/routes.ts'
import { TraceRoutes } from './admin/trace-routes.ts'
import { expositionType } from './exposition.ts'
import { LoopWatch } from './loop-watch.ts'
import { printMetrics } from './metrics.ts'
import type { ObservedNode } from './observed-node.ts'
import { reportDetail } from './report.ts'
import { openRunDirectory, socketPath } from './run-directory.ts'

/** How the endpoint is opened. */
export interface AdminOptions {
  /** Where the socket goes; see `runDirectory`. */
  readonly runDirectory: string
  /** `host:port` for metrics and health; default: the configuration's `http` of this node, if any. */
  readonly http?: string | undefined
}

const TIMEOUT_MS = 2_000
const TIMEOUT_MS_MAX = 60_000
const DEADLINE_MS = 30_000

/**
 * Opens the admin endpoint of `node`.
 *
 * @throws AdminError; nothing is left open then
 */
export async function startAdmin(node: ObservedNode, options: AdminOptions): Promise<Admin> {
  openRunDirectory(options.runDirectory)
  const path = socketPath(options.runDirectory, node.name)
  const admin = new Admin(node, path)
  try {
    await admin.open(options.http ?? node.topology.addressOf(node.name, 'http'))
  } catch (error) {
    await admin.close()
    throw error
  }
  return admin
}

/** An open admin endpoint. Use {@link startAdmin}. */
export class Admin {
  readonly socketPath: string
  readonly #node: ObservedNode
  readonly #loop = new LoopWatch()
  readonly #answerer: Answerer
  readonly #gatherer: Gatherer
  readonly #routes: Routes
  readonly #diversions: DiversionRoutes
  readonly #trace: TraceRoutes
  readonly #diff: DiffRoutes
  readonly #history: HistoryRoutes
  readonly #servers: Server[] = []
  /** Answers under way; `close` lets them finish. */
  readonly #answering = new Set<Promise<void>>()
  #httpAddress: string | undefined

  constructor(node: ObservedNode, path: string) {
    this.#node = node
    this.socketPath = path
    this.#answerer = new Answerer(node, this.#loop)
    this.#gatherer = new Gatherer(node, this.#answerer)
    this.#routes = new Routes(node, this.#gatherer)
    this.#diversions = new DiversionRoutes(node, this.#gatherer)
    this.#trace = new TraceRoutes(node, this.#gatherer)
    this.#diff = new DiffRoutes(node, this.#gatherer)
    this.#history = new HistoryRoutes(node, this.#gatherer)
  }

  /** Where metrics and health are had, with the real port. */
  get httpAddress(): string | undefined {
    return this.#httpAddress
  }

  /** Part of {@link startAdmin}. */
  async open(http: string | undefined): Promise<void> {
    await listenOnSocket(this.#serve(this.#onSocket), this.socketPath)
    if (http !== undefined) {
      const address = parseAddress(http)
      if (address === undefined) throw new RangeError(`listen for HTTP: not host:port: "${http}"`)
      this.#httpAddress = await listenOnAddress(this.#serve(this.#onHttp), address.host, address.port)
    }
    this.#node.runtime.spawn(new AdminProcess(this.#answerer), { name: 'admin' }, adminIndex)
  }

  /** Closes both doors; answers under way are finished first, for as long as `graceMs`. The socket's file goes away. */
  async close(graceMs = 1_000): Promise<void> {
    const closed = this.#servers.map(
      server =>
        new Promise<void>(resolve => {
          if (server.listening) server.close(() => resolve())
          else resolve()
        }),
    )
    await Promise.race([
      Promise.all(this.#answering),
      new Promise(resolve => setTimeout(resolve, graceMs).unref()),
    ])
    for (const server of this.#servers) server.closeAllConnections()
    await Promise.all(closed)
    this.#loop.stop()
  }

  #serve(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Server {
    const listener: RequestListener = (request, response) => {
      request.resume()
      const answering = handle.call(this, request, response).catch(error => fail(response, error))
      this.#answering.add(answering)
      void answering.finally(() => this.#answering.delete(answering))
    }
    const server = makeServer(listener)
    this.#servers.push(server)
    return server
  }

  /** The socket: everything. */
  async #onSocket(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = urlOf(request)
    // A browser that was led to a forwarded socket says where it comes from; people's tools do not.
    if (request.headers.origin !== undefined) throw new RequestError(403, 'forbidden', 'not for browsers')
    const parts = partsOf(url)
    if (parts[0] !== 'v1') return this.#onHttp(request, response)
    const timeoutMs = numberOf(url, 'timeoutMs', TIMEOUT_MS, TIMEOUT_MS_MAX)
    if (request.method === 'POST' && parts[1] === 'nodes' && parts[3] === 'drain' && parts.length === 4) {
      const deadlineMs = numberOf(url, 'deadlineMs', DEADLINE_MS, Number.MAX_SAFE_INTEGER)
      return this.#drain(response, this.#routes.known(parts[2]!), deadlineMs)
    }
    if (request.method === 'POST' && parts[1] === 'diversions')
      return sendDocument(response, this.#diversions.post(parts.slice(2), url.searchParams, timeoutMs))
    if (request.method !== 'GET')
      throw new RequestError(405, 'no-such-method', `not a GET: ${request.method}`)
    if (parts[1] === 'diversions' && parts.length === 2)
      return sendDocument(response, this.#diversions.list(timeoutMs))
    if (parts.length === 2 && parts[1] === 'trace')
      return sendDocument(response, this.#trace.get(url.searchParams, timeoutMs))
    if (parts.length === 2 && parts[1] === 'diff')
      return sendDocument(response, this.#diff.get(url.searchParams, timeoutMs))
    if (parts.length === 2 && parts[1] === 'history')
      return sendDocument(response, this.#history.get(url.searchParams, timeoutMs))
    return sendDocument(response, this.#routes.get(parts.slice(1), timeoutMs))
  }

  /** The HTTP address: metrics and health. */
  async #onHttp(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new RequestError(405, 'no-such-method', `not a GET: ${request.method}`)
    }
    const { state } = this.#node
    switch (urlOf(request).pathname) {
      case '/metrics':
        return send(
          response,
          200,
          expositionType,
          printMetrics(reportDetail(this.#node, this.#loop.totals())),
        )
      case '/livez':
        return send(response, 200, 'text/plain', `${state}\n`)
      case '/readyz':
        return send(response, state === 'ready' ? 200 : 503, 'text/plain', `${state}\n`)
      default:
        throw new RequestError(404, 'no-such-path', 'only /metrics, /livez and /readyz are had here')
    }
  }

  async #drain(response: ServerResponse, name: string, deadlineMs: number): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson' })
    for await (const line of watchDrain(this.#node, this.#gatherer, name, deadlineMs)) {
      if (response.destroyed) return
      response.write(`${JSON.stringify(line)}\n`)
    }
    response.end()
  }
}

function urlOf(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? '', 'http://node')
  if (url === null) throw new RequestError(400, 'bad-url', 'not a URL')
  return url
}

function partsOf(url: URL): string[] {
  try {
    return url.pathname.split('/').slice(1).map(decodeURIComponent)
  } catch {
    throw new RequestError(400, 'bad-url', `not a URL: ${url.pathname}`)
  }
}

function numberOf(url: URL, name: string, fallback: number, max: number): number {
  const text = url.searchParams.get(name)
  if (text === null) return fallback
  const number = Number(text)
  if (!(number > 0 && number <= max))
    throw new RequestError(400, 'bad-number', `not in 1 to ${max}: ${name}=${text}`)
  return number
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

async function sendDocument(response: ServerResponse, document: Promise<Document>): Promise<void> {
  send(response, 200, 'application/json', JSON.stringify(await document))
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const known = error instanceof RequestError
  const code = known ? error.code : 'failed'
  const message = error instanceof Error ? error.message : String(error)
  send(response, known ? error.status : 500, 'application/json', JSON.stringify({ error: { code, message } }))
}
