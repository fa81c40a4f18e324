/** An admin endpoint that answers what a test tells it to, on a real Unix socket, as slowly as a test wants. */
import { createServer, type Server } from 'node:http'
import type { Document, Self } from '../../../ops/admin/routes.ts'

/** What is answered to a path, without its parameters. */
export type Script = Record<
  string,
  Document | { readonly error: { code: string; message: string } } | 'silent'
>

export class FakeAdmin {
  readonly path: string
  script: Script
  self: Self = { node: 'dc1-chat1', state: 'ready', version: '0.1.0', clusterId: 'demo', linked: 9 }
  /** Lines of a drain's answer, and whether the connection then ends as it should. */
  drainLines: object[] = []
  drainBreaks = false
  /** Requests seen, the question who it is left out. */
  readonly asked: string[] = []
  readonly #server: Server

  private constructor(path: string, script: Script, server: Server) {
    this.path = path
    this.script = script
    this.#server = server
  }

  static async listen(path: string, script: Script = {}): Promise<FakeAdmin> {
    const server = createServer()
    const admin = new FakeAdmin(path, script, server)
    server.on('request', (request, response) => {
      const url = new URL(request.url!, 'http://fake')
      if (url.pathname === '/v1/self' && admin.script['/v1/self'] === undefined) {
        return response.end(JSON.stringify({ data: admin.self, complete: true, missing: [] }))
      }
      admin.asked.push(`${request.method} ${request.url}`)
      if (request.method === 'POST' && admin.script[url.pathname] === undefined) {
        for (const line of admin.drainLines) response.write(`${JSON.stringify(line)}\n`)
        // A moment, so that the lines are on their way before the connection is cut.
        return admin.drainBreaks ? setTimeout(() => response.destroy(), 20) : response.end()
      }
      const answer = admin.script[url.pathname] ?? {
        error: { code: 'no-such-path', message: 'no such path' },
      }
      if (answer === 'silent') return undefined
      response.statusCode = 'error' in answer ? 404 : 200
      return response.end(JSON.stringify(answer))
    })
    await new Promise<void>(resolve => server.listen(path, resolve))
    return admin
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }
}
