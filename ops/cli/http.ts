/**
 * One HTTP request to an admin endpoint, by a socket's path or by a URL; a connection each, and none left open.
 */
import { type IncomingMessage, request } from 'node:http'

/** Where an admin endpoint is: the path of a socket, or `http://host:port`. */
export type Place = string

/** An answer whose body has not been read. */
export interface Reply {
  readonly status: number
  readonly body: IncomingMessage
}

/**
 * Sends a request and resolves with the head of the answer.
 *
 * @param path absolute, encoded
 * @throws the system's error when nobody is there, `AbortError` or `TimeoutError` when `signal` ends the wait
 */
export function ask(place: Place, method: 'GET' | 'POST', path: string, signal: AbortSignal): Promise<Reply> {
  const to = place.startsWith('http://') ? urlParts(place) : { socketPath: place }
  return new Promise((resolve, reject) => {
    const asked = request({ ...to, method, path, signal, agent: false }, body =>
      resolve({ status: body.statusCode ?? 0, body }),
    )
    // An abort arrives as an AbortError; what the caller wants is the reason that was given for it.
    asked.on('error', error => reject(signal.aborted ? signal.reason : error))
    asked.end()
  })
}

/** Reads the whole body as JSON. */
export async function readJson(body: IncomingMessage): Promise<unknown> {
  return JSON.parse(await readText(body))
}

async function readText(body: IncomingMessage): Promise<string> {
  body.setEncoding('utf8')
  let text = ''
  for await (const chunk of body) text += chunk
  return text
}

function urlParts(place: Place): { host: string; port: number } {
  const url = new URL(place)
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 80) }
}
