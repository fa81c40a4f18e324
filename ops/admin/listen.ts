/**
 * Opens the two doors of the admin endpoint: the Unix socket, and the HTTP address for metrics and health.
 *
 * Invariant: nobody but the owner can open the socket, not even in the moment of its making; a socket that a dead node
 * left behind is replaced, a live one never.
 */

import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { connect } from 'node:net'
import { AdminError } from '../admin-error.ts'

/** Limits that a stranger on the port meets. A scraper and a few operators need far less. */
const limits = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
}
const CONNECTIONS_MAX = 128

/** Makes a server that has not begun to listen. Bytes that are not HTTP get one line, and the connection is closed. */
export function makeServer(listener: RequestListener): Server {
  const server = createServer(limits, listener)
  server.maxConnections = CONNECTIONS_MAX
  server.on('clientError', (_error, socket) => {
    if (socket.writable)
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    else socket.destroy()
  })
  return server
}

/**
 * Listens on a Unix socket with mode 0600.
 *
 * Two nodes of one name that find the same stale socket cannot both get here: the second has failed to have the mesh
 * address by then.
 *
 * @throws AdminError `in-use` when a live process answers there
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  try {
    await listenPrivately(server, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    if (await isAlive(path)) {
      throw new AdminError('in-use', `open admin socket: a live node has it: ${path}`)
    }
    rmSync(path)
    await listenPrivately(server, path)
  }
}

/**
 * Listens on `host:port`; returns the address with the real port.
 *
 * @throws AdminError `in-use` or `bad-address`
 */
export async function listenOnAddress(server: Server, host: string, port: number): Promise<string> {
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'address in use' : message
    throw new AdminError(
      code === 'EADDRINUSE' ? 'in-use' : 'bad-address',
      `listen for HTTP: ${why}: ${host}:${port}`,
    )
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`listen for HTTP: no address: ${host}`)
  return `${host.includes(':') ? `[${host}]` : host}:${address.port}`
}

/** The kernel makes the socket inside `listen`, with what the umask leaves of 0777. */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(before)
  }
  await once(server, 'listening')
}

/** Whether somebody accepts on the socket. */
async function isAlive(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
