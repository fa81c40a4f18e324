/** Speaks HTTP, or anything else, to a socket or a port, as a stranger would. */
import { request } from 'node:http'
import { connect } from 'node:net'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** Where: a socket's path, or `host:port`. */
function parts(place: string): { socketPath: string } | { host: string; port: number } {
  if (place.startsWith('/')) return { socketPath: place }
  const colon = place.lastIndexOf(':')
  return { host: place.slice(0, colon), port: Number(place.slice(colon + 1)) }
}

export function ask(
  place: string,
  path: string,
  options: { readonly method?: string; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...parts(place), path, agent: false, ...options }, async answer => {
      answer.setEncoding('utf8')
      let text = ''
      for await (const chunk of answer) text += chunk
      resolve({ status: answer.statusCode!, type: answer.headers['content-type'] ?? '', text })
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** Sends raw bytes and resolves with all that comes back until the other end closes. */
export function sendRaw(place: string, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const at = parts(place)
    const socket = 'socketPath' in at ? connect(at.socketPath) : connect(at.port, at.host)
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', chunk => {
      text += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
    socket.write(bytes)
  })
}
