/** What `wand dev up` and `wand chat` refuse before anything is started: one line, the right exit code. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { clusterConfig, Topology } from '../../../cluster-config/index.ts'
import { takenAddresses } from '../../../ops/dev/addresses.ts'
import { DevControl } from '../../../ops/dev/control.ts'
import { wand } from '../ops/golden.ts'

let directory: string
let env: Record<string, string>

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wandist-before-'))
  env = { WAND_RUN_DIR: join(directory, 'run') }
})
afterEach(() => rmSync(directory, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const withoutPhones = 'id: small\nnodes:\n  a: { mesh: 127.0.0.1:7701 }\n'

/** Takes an address until the test is over; returns its port. */
async function occupied(): Promise<number> {
  const server: Server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

/** An address that was free a moment ago. */
async function free(): Promise<number> {
  const server: Server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

describe('wand dev up refuses', () => {
  test.each([
    ['--phones many', /^wand: option '--phones <count>' argument 'many' is invalid/],
    ['--phones 1000000', /A number from 0 to 2000/],
    ['--seed -1', /^wand: option '--seed <number>' argument '-1' is invalid/],
    ['--for soon', /^wand: option '--for <duration>' argument 'soon' is invalid/],
  ])('wrong arguments: %s', async (line, says) => {
    const { exitCode, stderr } = await wand(['dev', 'up', ...line.split(' ')], { env })
    expect({ exitCode, stderr }).toEqual({ exitCode: 64, stderr: expect.stringMatching(says) })
  })

  test('a configuration that is missing, or wrong', async () => {
    const missing = await wand(['dev', 'up', '--config', '/nowhere.yaml'], { env })
    expect(missing).toMatchObject({ exitCode: 78, stderr: 'wand: dev up: /nowhere.yaml: no such file\n' })
    const wrong = await wand(['dev', 'up', '--config', file('wrong.yaml', 'id: [')], { env })
    expect(wrong).toMatchObject({
      exitCode: 78,
      stderr: expect.stringMatching(/^wand: dev up: .*wrong\.yaml:1:/),
    })
  })

  test('lines that are missing', async () => {
    const { exitCode, stderr } = await wand(['dev', 'up', '--lines', '/nowhere.txt'], { env })
    expect(exitCode).toBe(66)
    expect(stderr).toMatch(/^wand: dev up: read lines: ENOENT[^\n]*\n$/)
  })

  test('phones where they cannot live', async () => {
    const config = file('small.yaml', withoutPhones)
    expect(await wand(['dev', 'up', '--config', config], { env })).toMatchObject({
      exitCode: 78,
      stderr: 'wand: dev up: no chat node has an address for phones; --no-phones starts the nodes alone\n',
    })
  })

  test('a second run beside a live one, which goes on', async () => {
    const controlled = {
      children: { list: () => [], start: fail, stop: fail, restart: fail },
      phones: () => ({ addresses: [], people: ['alice'] }),
    }
    await using _first = await DevControl.listen(env.WAND_RUN_DIR!, controlled)
    const { exitCode, stderr, stdout } = await wand(['dev', 'up'], { env })
    expect({ exitCode, stdout }).toEqual({ exitCode: 69, stdout: '' })
    expect(stderr).toMatch(
      /^wand: dev up: start: another wand dev up runs already: .*dev\.sock \(a second one needs --run-dir and --config\)\n$/,
    )
    expect(readdirSync(env.WAND_RUN_DIR!)).toEqual(['dev.sock'])
  })

  test('an address in use, and leaves nothing behind', async () => {
    const port = await occupied()
    const config = file('taken.yaml', `id: taken\nnodes:\n  a: { mesh: 127.0.0.1:${port} }\n`)
    expect(await wand(['dev', 'up', '--no-phones', '--config', config], { env })).toMatchObject({
      exitCode: 69,
      stdout: '',
      stderr: `wand: dev up: listen on 127.0.0.1:${port}, mesh of a: address in use\n`,
    })
    expect(readdirSync(env.WAND_RUN_DIR!)).toEqual([])
  })
})

describe('addresses', () => {
  test('are all tried, and an address of another machine is told from one in use', async () => {
    const port = await occupied()
    const topology = new Topology(
      clusterConfig({
        id: 'three',
        nodes: {
          a: { mesh: `127.0.0.1:${port}` },
          b: { mesh: '192.0.2.1:7701' },
          c: { mesh: `127.0.0.1:${await free()}` },
        },
      }),
    )
    expect(await takenAddresses(topology)).toEqual([
      `listen on 127.0.0.1:${port}, mesh of a: address in use`,
      'listen on 192.0.2.1:7701, mesh of b: not an address of this machine',
    ])
  })
})

describe('wand chat refuses', () => {
  test('a name that no user may have', async () => {
    expect(await wand(['chat', '--as', 'a b'], { env })).toMatchObject({ exitCode: 64 })
    expect(await wand(['chat'], { env })).toMatchObject({ exitCode: 64 })
  })

  test('to guess where phones connect', async () => {
    expect(await wand(['chat', '--as', 'you'], { env })).toMatchObject({
      exitCode: 69,
      stderr: 'wand: chat: no wand dev up runs here: --address HOST:PORT says where phones connect\n',
    })
  })

  test('the name of a simulated phone', async () => {
    const controlled = {
      children: { list: () => [], start: fail, stop: fail, restart: fail },
      phones: () => ({ addresses: ['127.0.0.1:1'], people: ['alice'] }),
    }
    await using _run = await DevControl.listen(env.WAND_RUN_DIR!, controlled)
    expect(await wand(['chat', '--as', 'alice'], { env })).toMatchObject({
      exitCode: 64,
      stderr: 'wand: chat: a simulated phone has that name: "alice"\n',
    })
  })

  test('an address where nobody is', async () => {
    expect(await wand(['chat', '--as', 'you', '--address', '127.0.0.1:1'], { env })).toMatchObject({
      exitCode: 69,
      stderr: 'wand: chat: register: unreachable: 127.0.0.1:1\n',
    })
  })
})

function fail(): never {
  throw new Error('must not be called')
}
