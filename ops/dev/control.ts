/**
 * dev.sock: how other commands talk to a `wand dev up` that runs, HTTP and JSON over a Unix socket in the run directory.
 *
 *   GET  /children            -> ChildStatus[]
 *   GET  /phones              -> Phones        for `wand chat`: where phones connect, and who is there
 *   POST /start    {"node"}   -> ChildStatus      `wand upgrade` asks for a drained node's next creation here
 *   POST /stop     {"node"}   -> ChildStatus
 *   POST /restart  {"node"}   -> ChildStatus
 *   anything else             -> {"error"} and a status of 4xx
 *
 * Invariant: one at a time. A socket that somebody answers on is never taken over; one that a killed run left is.
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { ChildError, type Children, type ChildStatus } from './children.ts'

/** Name of the socket in the run directory. */
export const devSocketName = 'dev.sock'

const BODY_BYTES_MAX = 4 * 1024

/** Why dev.sock did not do what it was asked. */
export class DevControlError extends Error {
  override readonly name = 'DevControlError'
  /** `in-use`: another run is live; `absent`: no run is; `refused`: it answered with an error; `timeout`. */
  readonly code: 'in-use' | 'absent' | 'refused' | 'timeout'

  constructor(code: DevControlError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** What the socket gives access to. */
export interface Controlled {
  readonly children: Pick<Children, 'list' | 'start' | 'stop' | 'restart'>
  readonly phones: () => Phones
}

/** Where phones connect, and what the simulated ones are called. */
export interface Phones {
  /** `host:port` of the chat nodes. */
  readonly addresses: readonly string[]
  readonly people: readonly string[]
}

/** What can be asked, and what is answered. */
export type DevQuestion =
  | { readonly path: '/children' | '/phones' }
  | { readonly path: '/start' | '/stop' | '/restart'; readonly node: string }

type DevAnswer<Question extends DevQuestion> = Question extends { readonly path: '/children' }
  ? readonly ChildStatus[]
  : Question extends { readonly path: '/phones' }
    ? Phones
    : ChildStatus

/** The listening side. */
export class DevControl implements AsyncDisposable {
  readonly path: string
  readonly #server: Server

  private constructor(path: string, server: Server) {
    this.path = path
    this.#server = server
  }

  /**
   * Listens, for this user only.
   * @throws DevControlError `in-use` when another run answers there
   */
  static async listen(runDirectory: string, controlled: Controlled): Promise<DevControl> {
    const path = join(runDirectory, devSocketName)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    if (await answers(path)) {
      throw new DevControlError(
        'in-use',
        `start: another wand dev up runs already: ${path} (a second one needs --run-dir and --config)`,
      )
    }
    rmSync(path, { force: true })
    const server = createServer((incoming, response) => {
      void reply(incoming, controlled).then(({ status, value }) => {
        const text = JSON.stringify(value)
        response.writeHead(status, { 'content-type': 'application/json' }).end(`${text}\n`)
      })
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', error =>
        reject(new DevControlError('in-use', `start: another wand dev up came first: ${error.message}`)),
      )
      server.listen(path, resolve)
    })
    chmodSync(path, 0o600)
    return new DevControl(path, server)
  }

  /** Stops listening; the socket file goes with it. */
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Asks the run that is live in this run directory.
 * @throws DevControlError `absent`, `refused` or `timeout`
 */
export async function askDev<const Question extends DevQuestion>(
  runDirectory: string,
  ask: Question,
  timeoutMs = 15_000,
): Promise<DevAnswer<Question>> {
  const socketPath = join(runDirectory, devSocketName)
  const body = 'node' in ask ? JSON.stringify({ node: ask.node }) : undefined
  return await new Promise((resolve, reject) => {
    const asking = request({ socketPath, path: ask.path, method: body === undefined ? 'GET' : 'POST' })
    const timer = setTimeout(() => {
      reject(new DevControlError('timeout', `ask dev up: no answer after ${timeoutMs} ms`))
      asking.destroy()
    }, timeoutMs)
    asking.on('error', error => {
      clearTimeout(timer)
      reject(new DevControlError('absent', `ask dev up: none runs: ${error.message}`))
    })
    asking.on('response', response => {
      void readAll(response, Number.POSITIVE_INFINITY).then(text => {
        clearTimeout(timer)
        const value = JSON.parse(text)
        if (response.statusCode === 200) resolve(value)
        else reject(new DevControlError('refused', `ask dev up: ${value.error}`))
      }, reject)
    })
    asking.end(body)
  })
}

/** Whether anybody answers on this socket. */
function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}

interface Answer {
  readonly status: number
  readonly value: unknown
}

async function reply(incoming: IncomingMessage, { children, phones }: Controlled): Promise<Answer> {
  try {
    const question = `${incoming.method} ${incoming.url}`
    if (question === 'GET /children') return { status: 200, value: children.list() }
    if (question === 'GET /phones') return { status: 200, value: phones() }
    const act = { 'POST /start': 'start', 'POST /stop': 'stop', 'POST /restart': 'restart' }[question]
    if (act === undefined) return { status: 404, value: { error: `no such question: ${question}` } }
    const node = nodeOf(await readAll(incoming, BODY_BYTES_MAX))
    if (node === undefined) return { status: 400, value: { error: 'want a body of {"node": "NAME"}' } }
    return { status: 200, value: await children[act as 'start' | 'stop' | 'restart'](node) }
  } catch (error) {
    const code = error instanceof ChildError ? error.code : undefined
    return { status: code === 'unknown-node' ? 404 : 409, value: { error: (error as Error).message } }
  }
}

function nodeOf(body: string): string | undefined {
  try {
    const { node } = JSON.parse(body)
    return typeof node === 'string' ? node : undefined
  } catch {
    return undefined
  }
}

async function readAll(stream: AsyncIterable<Buffer>, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new Error(`body too long: above ${bytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
