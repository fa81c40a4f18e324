/** The doors of the admin endpoint: who gets in, and what strangers get. */
import { chmodSync, existsSync, mkdirSync, renameSync, statSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { nodeSockets, runDirectory, startAdmin } from '../../../ops/index.ts'
import { AdminSetup } from './admin-setup.ts'
import { parseExposition } from './exposition-parser.ts'
import { ask, sendRaw } from './request.ts'

const setup = AdminSetup.forEachTest()

describe('health', () => {
  test('a node is alive while it answers, and ready only when it serves', async () => {
    const place = setup.http('a1')
    for (const [state, status] of [
      ['starting', 503],
      ['catching-up', 503],
      ['ready', 200],
      ['draining', 503],
    ] as const) {
      setup.cluster.node('a1').state = state
      expect(await ask(place, '/livez')).toMatchObject({ status: 200, text: `${state}\n` })
      expect(await ask(place, '/readyz')).toMatchObject({ status, text: `${state}\n` })
    }
  })

  test('metrics are had by both doors, and parse', async () => {
    for (const place of [setup.http('a1'), setup.socket('a1')]) {
      const { status, type, text } = await ask(place, '/metrics')
      expect(status).toBe(200)
      expect(type).toBe('text/plain; version=0.0.4; charset=utf-8')
      expect(parseExposition(text).get('wandist_node_info')!.samples[0]!.labels.node).toBe('a1')
    }
  })

  test('the HTTP address changes nothing and tells nothing else', async () => {
    const place = setup.http('a1')
    expect((await ask(place, '/v1/nodes')).status).toBe(404)
    expect((await ask(place, '/v1/nodes/a2/drain', { method: 'POST' })).status).toBe(405)
    expect(setup.cluster.node('a2').state).toBe('ready')
  })
})

describe('strangers', () => {
  test('bytes that are no HTTP get a 400, and the node goes on', async () => {
    for (const place of [setup.http('a1'), setup.socket('a1')]) {
      for (const bytes of [
        '\u0000\u0001\u0002garbage\r\n\r\n',
        'GET\r\n\r\n',
        '\r\n'.repeat(3) + 'x'.repeat(9_000),
      ]) {
        expect(await sendRaw(place, bytes)).toMatch(/^HTTP\/1\.1 4\d\d /)
      }
      expect((await ask(place, '/livez')).status).toBe(200)
    }
  })

  test('odd paths, methods and numbers are turned down with one line', async () => {
    const odd = [
      ['/v1/%ff', 'GET', 400],
      ['/v1', 'GET', 404],
      ['/v1/nodes/a1/b1', 'GET', 404],
      ['/v1/__proto__', 'GET', 404],
      ['/v1/nodes/__proto__', 'GET', 404],
      ['/v1/nodes?timeoutMs=never', 'GET', 400],
      ['/v1/nodes', 'DELETE', 405],
      ['//', 'GET', 400],
    ] as const
    for (const [path, method, status] of odd) {
      const answer = await ask(setup.socket('a1'), path, { method })
      expect([path, answer.status]).toEqual([path, status])
      expect(JSON.parse(answer.text).error.message).not.toContain('\n')
    }
  })

  test('a browser that was led to a forwarded socket is turned away', async () => {
    const headers = { origin: 'https://example.org' }
    expect((await ask(setup.socket('a1'), '/v1/nodes/a2/drain', { method: 'POST', headers })).status).toBe(
      403,
    )
  })

  test('a body is neither read nor missed', async () => {
    const request = `GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello`
    expect(await sendRaw(setup.socket('a1'), request)).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('the socket', () => {
  test('is its owner’s alone, in a directory that is too', () => {
    expect(statSync(setup.socket('a1')).mode & 0o777).toBe(0o600)
    expect(statSync(setup.directory).mode & 0o777).toBe(0o700)
  })

  test('goes away with the endpoint', async () => {
    await setup.admins.get('a1')!.close()
    expect(existsSync(setup.socket('a1'))).toBe(false)
  })

  test('of a live node is not taken', async () => {
    await expect(
      startAdmin(setup.cluster.node('a1'), { runDirectory: setup.directory }),
    ).rejects.toMatchObject({
      code: 'in-use',
      message: `open admin socket: a live node has it: ${setup.socket('a1')}`,
    })
    expect((await ask(setup.socket('a1'), '/livez')).status).toBe(200)
  })

  test('of a dead node is replaced', async () => {
    await setup.admins.get('a1')!.close()
    // Only a crash leaves a socket behind; here a server that cannot find its own when it closes.
    const left = createServer().listen(join(setup.directory, 'dead.sock'))
    await new Promise(resolve => left.on('listening', resolve))
    renameSync(join(setup.directory, 'dead.sock'), setup.socket('a1'))
    await new Promise(resolve => left.close(resolve))
    expect(existsSync(setup.socket('a1'))).toBe(true)
    setup.admins.set('a1', await startAdmin(setup.cluster.node('a1'), { runDirectory: setup.directory }))
    expect((await ask(setup.socket('a1'), '/livez')).status).toBe(200)
  })

  test('an HTTP address that is taken is one clear error, and leaves no socket', async () => {
    await setup.admins.get('a1')!.close()
    const http = setup.http('b1')
    await expect(
      startAdmin(setup.cluster.node('a1'), { runDirectory: setup.directory, http }),
    ).rejects.toMatchObject({
      code: 'in-use',
      message: `listen for HTTP: address in use: ${http}`,
    })
    expect(existsSync(setup.socket('a1'))).toBe(false)
  })
})

describe('the run directory', () => {
  test('is the one named, else the user’s own', () => {
    expect(runDirectory('/x', { WAND_RUN_DIR: '/y' })).toBe('/x')
    expect(runDirectory(undefined, { WAND_RUN_DIR: '/y', XDG_RUNTIME_DIR: '/run/user/7' })).toBe('/y')
    const uid = process.getuid!()
    expect(runDirectory(undefined, { XDG_RUNTIME_DIR: '/run/user/7' })).toBe(`/run/user/7/wandist-${uid}`)
    expect(runDirectory(undefined, {})).toBe(`/tmp/wandist-${uid}`)
  })

  test('is made when it is not there', async () => {
    const made = join(setup.directory, 'deep', 'run')
    const admin = await startAdmin(setup.cluster.node('a1'), { runDirectory: made })
    expect(statSync(made).mode & 0o777).toBe(0o700)
    await admin.close()
  })

  test('that others can write to, or that is a link, is not used', async () => {
    const open = join(setup.directory, 'open')
    mkdirSync(open)
    chmodSync(open, 0o777)
    symlinkSync(open, join(setup.directory, 'link'))
    for (const [name, why] of [
      ['open', 'others can write to it'],
      ['link', 'not a directory'],
    ] as const) {
      const used = startAdmin(setup.cluster.node('a1'), { runDirectory: join(setup.directory, name) })
      await expect(used).rejects.toMatchObject({
        code: 'bad-run-directory',
        message: `use run directory: ${why}: ${join(setup.directory, name)}`,
      })
    }
  })

  test('whose path is too long for a socket is refused before anything is opened', async () => {
    const long = join(setup.directory, 'x'.repeat(100))
    await expect(startAdmin(setup.cluster.node('a1'), { runDirectory: long })).rejects.toMatchObject({
      code: 'bad-run-directory',
    })
  })

  test('is searched for sockets of nodes only', () => {
    expect(nodeSockets(setup.directory)).toEqual(
      ['a1', 'a2', 'b1', 'far'].map(name => join(setup.directory, `${name}.sock`)),
    )
    expect(nodeSockets(join(setup.directory, 'nowhere'))).toEqual([])
  })
})
