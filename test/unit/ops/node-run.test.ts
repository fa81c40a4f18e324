/** `wand node run` from its first line to its exit, with a real node on real sockets, and the ways in which it does not start. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Ran, wand } from './golden.ts'

let directory: string
let config: string
let address: string

/** A loopback address of this process's own: no outgoing connection of anybody's can have taken a port of it. */
const host = `127.78.${(process.pid >> 8) & 0xff}.${Math.min(254, Math.max(1, process.pid & 0xff))}`
let port = 7_400

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wand-'))
  config = join(directory, 'cluster.yaml')
  port += 1
  address = `${host}:${port}`
  writeFileSync(config, `id: demo\ntiming: test\nnodes:\n  alone: { mesh: ${address} }\n`)
  vi.stubEnv('WANDIST_SECRET', 'a secret of the tests')
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true })
})

/** A running `wand node run`. */
class Running {
  stdout = ''
  readonly ended: Promise<Ran>
  readonly #listeners = new Map<string, () => void>()

  constructor(...more: string[]) {
    const line = ['node', 'run', '--name', 'alone', '--config', config, '--log-level', 'silent', ...more]
    this.ended = wand(line, {
      env: { WAND_RUN_DIR: directory },
      onStdout: text => {
        this.stdout += text
      },
      onSignal: (signal, listener) => {
        this.#listeners.set(signal, listener)
        return () => void this.#listeners.delete(signal)
      },
    })
  }

  async ready(): Promise<void> {
    await expect.poll(() => this.stdout, { timeout: 5_000, interval: 10 }).toMatch(/ready/)
  }

  signal(name: string): void {
    this.#listeners.get(name)!()
  }
}

function ask(...line: string[]): Promise<Ran> {
  return wand(line, { env: { WAND_RUN_DIR: directory } })
}

describe('a node in the foreground', () => {
  test('says that it is ready, answers, and exits 0 when SIGTERM has drained it', async () => {
    const node = new Running()
    await node.ready()
    expect(node.stdout).toBe(`alone is ready: mesh ${address}, admin ${join(directory, 'alone.sock')}\n`)
    const list = await ask('node', 'list', '--json')
    expect(JSON.parse(list.stdout)).toMatchObject({
      data: [{ node: 'alone', state: 'ready' }],
      complete: true,
    })
    node.signal('SIGTERM')
    expect(await node.ended).toMatchObject({ exitCode: 0, stderr: '' })
    expect((await ask('node', 'list')).exitCode).toBe(69)
  })

  test('exits 0 when an operator has drained it, and the operator sees the end', async () => {
    const node = new Running()
    await node.ready()
    const drain = await ask('node', 'drain', 'alone')
    expect(drain.exitCode).toBe(0)
    expect(drain.stdout).toMatch(/alone is drained\n$/)
    expect(await node.ended).toMatchObject({ exitCode: 0, stderr: '' })
  })

  test('ends at once at the second signal', async () => {
    const node = new Running()
    await node.ready()
    node.signal('SIGINT')
    node.signal('SIGINT')
    expect((await node.ended).exitCode).toBe(1)
  })

  test('can be asked while it starts, and ends when it is told to before it is ready', async () => {
    // Takes the connection and says nothing: a node waits for such a peer longer than for one that is not there.
    const mute: Server = createServer(socket => void socket.on('error', () => {}).resume()).listen(0, host)
    await new Promise(resolve => mute.on('listening', resolve))
    const { port } = mute.address() as { port: number }
    writeFileSync(
      config,
      `id: demo\ntiming: test\nnodes:\n  alone: { mesh: ${address} }\n  mute: { mesh: '${host}:${port}' }\n`,
    )
    const node = new Running()
    await expect
      .poll(async () => (await ask('node', 'list')).stdout, { timeout: 5_000 })
      .toMatch(/catching-up/)
    node.signal('SIGTERM')
    expect((await node.ended).exitCode).toBe(0)
    expect(node.stdout).toBe('')
    mute.close()
  })
})

describe('a node that does not start', () => {
  async function fails(exitCode: number, says: RegExp | string, ...more: string[]): Promise<void> {
    const ran = await new Running(...more).ended
    expect(ran.stdout).toBe('')
    expect(ran.stderr).toMatch(says)
    expect(ran.stderr.trimEnd()).not.toContain('\n')
    expect(ran.exitCode).toBe(exitCode)
  }

  test('because it is not in the configuration', () =>
    fails(66, 'wand: run other: start node: not in the configuration: "other"', '--name', 'other'))

  test('because the configuration is wrong: one line, and how many more there are', async () => {
    writeFileSync(config, 'id: Demo\nnodes: { alone: { mesh: x } }\n')
    await fails(
      78,
      /^wand: run alone: .*cluster\.yaml:1:1: id: not a name.* \(and 1 more: wand config validate\)$/m,
    )
  })

  test('because the configuration is not there', async () => {
    rmSync(config)
    await fails(78, /^wand: run alone: .*cluster\.yaml: no such file$/m)
  })

  test('because there is no secret', async () => {
    vi.stubEnv('WANDIST_SECRET', '')
    await fails(78, /^wand: run alone: start node: no secret: /)
  })

  test('because others can read its secret', async () => {
    vi.stubEnv('WANDIST_SECRET', undefined)
    writeFileSync(join(directory, 'secret'), 'known to all', { mode: 0o644 })
    writeFileSync(config, `id: demo\nsecretFile: ./secret\nnodes:\n  alone: { mesh: ${address} }\n`)
    await fails(78, /^wand: run alone: read secret: others can read it: .* has mode 644, want 600$/m)
  })

  test('because its certificates cannot be read', async () => {
    const tls = 'tls: { ca: ca.crt, certificate: "{node}.crt", key: "{node}.key" }'
    writeFileSync(config, `id: demo\n${tls}\nnodes:\n  alone: { mesh: ${address} }\n`)
    await fails(78, /^wand: run alone: start node: read tls.key: ENOENT: .*\/alone\.key'$/m)
  })

  test('because its address is taken', async () => {
    const other: Server = createServer().listen(port, host)
    await new Promise(resolve => other.on('listening', resolve))
    await fails(69, new RegExp(`^wand: run alone: .*${address}`))
    expect((await ask('node', 'list')).exitCode).toBe(69)
    await new Promise(resolve => other.close(resolve))
  })

  test('because a live node has its socket', async () => {
    const node = new Running()
    await node.ready()
    await fails(
      69,
      `wand: run alone: open admin socket: a live node has it: ${join(directory, 'alone.sock')}`,
    )
    node.signal('SIGTERM')
    await node.ended
  })
})
