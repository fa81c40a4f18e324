/**
 * A faulty line to Consul: an HTTP proxy that passes, hangs, or answers something of its own.
 *
 * A change of mode also meets the questions that are under way: they are cut off, or, when it begins to hang, left
 * without an answer.
 */
import { once } from 'node:events'
import { type ClientRequest, createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the proxy does with a question. */
export type ProxyMode =
  | { readonly kind: 'pass' }
  | { readonly kind: 'hang' }
  /** Answers without asking Consul; `question` counts from 0 since the mode was set. */
  | { readonly kind: 'answer'; readonly answer: (question: number) => ProxyAnswer }

export interface ProxyAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Break off after the body, as if more were to come. */
  readonly cut?: boolean
}

export interface ConsulProxy {
  readonly http: string
  /** Questions that came since the mode was set. */
  readonly questions: number
  /** Questions that wait for an answer. */
  readonly waiting: number
  set(mode: ProxyMode): void
  stop(): Promise<void>
}

/** Starts a proxy before the Consul at `target`, `host:port`; it begins by passing. `port` 0 is any free one. */
export async function startConsulProxy(target: string, port = 0): Promise<ConsulProxy> {
  let mode: ProxyMode = { kind: 'pass' }
  let questions = 0
  const waiting = new Map<ServerResponse, ClientRequest | undefined>()

  const server = createServer((incoming, response) => {
    const { method, url, headers } = incoming
    const question = questions++
    waiting.set(response, undefined)
    response.once('close', () => {
      waiting.get(response)?.destroy()
      waiting.delete(response)
    })
    if (mode.kind === 'hang') return
    if (mode.kind === 'answer') {
      const { status, headers: own, body, cut } = mode.answer(question)
      response.writeHead(status, own)
      if (cut === true) response.write(body ?? '', () => response.destroy())
      else response.end(body)
      return
    }
    const [host, targetPort] = target.split(':')
    const upstream = request({ host, port: targetPort, method, path: url, headers }, answer => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    upstream.on('error', () => {
      if (mode.kind === 'pass') response.destroy()
    })
    waiting.set(response, upstream)
    incoming.pipe(upstream)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  return {
    http: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get questions() {
      return questions
    },
    get waiting() {
      return waiting.size
    },
    set(next) {
      mode = next
      questions = 0
      for (const [response, upstream] of waiting) {
        waiting.set(response, undefined)
        upstream?.destroy()
        if (next.kind !== 'hang') response.destroy()
      }
    },
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
