import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ConfigError,
  fileSource,
  fixedSource,
  loadConfigFile,
  parseConfig,
  tlsFilesOf,
} from '../../../cluster-config/index.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wandist-config-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

async function errorOf(loading: Promise<unknown>): Promise<ConfigError> {
  const error = await loading.then(
    () => undefined,
    reason => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return error
}

function problems(text: string): string[] {
  try {
    parseConfig(text, 'c.yaml')
  } catch (error) {
    return (error as ConfigError).message.split('\n')
  }
  throw new Error('no problem was found')
}

const good = 'id: demo\nnodes:\n  a: { mesh: 127.0.0.1:7701 }\n  b: { mesh: 127.0.0.1:7702 }\n'

describe('errors say file, line, column and key', () => {
  test('a wrong value stands at its key', () => {
    expect(problems('id: demo\nnodes:\n  dc1-chat1:\n    datacenter: dc1\n    mesh: foo\n')).toEqual([
      'c.yaml:5:5: nodes.dc1-chat1.mesh: not host:port: "foo"',
    ])
  })

  test('an unknown key stands at itself', () => {
    expect(problems(`${good}serivces: {}\n`)).toEqual(['c.yaml:5:1: serivces: unknown key'])
  })

  test('a missing key stands at what lacks it', () => {
    expect(problems('id: demo\nnodes:\n  a: {}\n')).toEqual(['c.yaml:3:3: nodes.a.mesh: missing'])
    expect(problems('nodes:\n  a: { mesh: h:1 }\n')).toEqual(['c.yaml:1:1: id: missing'])
  })

  test('an item of a list stands at itself', () => {
    expect(problems(`${good}talk: [[main, main], [main, far]]\n`)).toEqual([
      'c.yaml:5:8: talk[0]: a cluster always links with itself: "main"',
      'c.yaml:5:29: talk[1][1]: no such cluster: "far"',
    ])
  })

  test('several stand in order of line, and each carries its parts', () => {
    const error = (() => {
      try {
        parseConfig('foo: 1\nid: X\nnodes: { a: { mesh: h } }\n', 'c.yaml')
      } catch (thrown) {
        return thrown as ConfigError
      }
    })()
    expect(error?.problems.map(problem => problem.line)).toEqual([1, 2, 3])
    expect(error?.problems[2]).toEqual({
      file: 'c.yaml',
      line: 3,
      column: 15,
      key: 'nodes.a.mesh',
      message: 'not host:port: "h"',
    })
    expect(error?.code).toBe('invalid')
  })

  test('a wrong value behind an alias stands where it is written', () => {
    const text = 'id: demo\nnodes:\n  a: &same { mesh: foo }\n  b: *same\n'
    expect(problems(text)).toEqual([
      'c.yaml:3:14: nodes.a.mesh: not host:port: "foo"',
      'c.yaml:3:14: nodes.b.mesh: not host:port: "foo"',
    ])
  })

  test.each<[string, string, RegExp]>([
    ['text that is no YAML', 'id: [demo\n', /^c\.yaml:2:1: not YAML: .+$/],
    ['a tab as indentation', 'nodes:\n\ta: 1\n', /^c\.yaml:2:1: not YAML: .+$/],
    [
      'a duplicate key',
      'id: demo\nnodes:\n  a: { mesh: h:1 }\n  a: { mesh: h:2 }\n',
      /^c\.yaml:4:3: not YAML: Map keys must be unique$/,
    ],
    ['a second document', `${good}---\n${good}`, /^c\.yaml:5:1: not YAML: .+$/],
    ['an unknown tag', 'id: !secret demo\nnodes: {}\n', /^c\.yaml:1:5: not YAML: Unresolved tag: !secret$/],
    ['a number as key', 'id: demo\nnodes:\n  1: { mesh: h:1 }\n', /^c\.yaml:3:3: nodes\.1: not a name .+$/],
    ['an alias to nothing', 'id: *nothing\n', /^c\.yaml:1:\d+: not YAML: .+$/],
    ['an empty text', '', /^c\.yaml:1:1: empty$/],
    ['nothing but comments', '# nothing\n', /^c\.yaml:1:1: empty$/],
    ['a plain word', 'hello\n', /^c\.yaml:1:1: not a map: "hello"$/],
  ])('%s', (_, text, line) => {
    const found = problems(text)
    expect(found[0]).toMatch(line)
    expect(found.every(problem => problem.startsWith('c.yaml:'))).toBe(true)
  })

  test('aliases that unfold without end are refused', () => {
    const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]`)
    expect(problems(`a0: &a0 [x]\n${levels.join('\n')}\n`)[0]).toMatch(/not YAML: .*alias/i)
  })
})

describe('a file', () => {
  test('gives its configuration', async () => {
    const { config, text } = await loadConfigFile(await write('good.yaml', good))
    expect(Object.keys(config.nodes)).toEqual(['a', 'b'])
    expect(text).toBe(good)
  })

  test('may be JSON, which is YAML too', async () => {
    const { config } = await loadConfigFile(
      await write('good.json', '{"id":"demo","nodes":{"a":{"mesh":"h:1"}}}'),
    )
    expect(config.id).toBe('demo')
  })

  test('names its secret relative to itself', async () => {
    const { config } = await loadConfigFile(await write('secret.yaml', `${good}secretFile: ./s\n`))
    expect(config.secretFile).toBe(join(folder, 's'))
  })

  test('the files of tls are relative to the file, and {node} is the node', async () => {
    const tls = 'tls: { ca: ca.crt, certificate: "certs/{node}.crt", key: "/keys/{node}/{node}.key" }'
    const { config } = await loadConfigFile(await write('tls.yaml', `${good}${tls}\n`))
    expect(tlsFilesOf(config, 'dc1-chat1')).toEqual({
      ca: join(folder, 'ca.crt'),
      certificate: join(folder, 'certs/dc1-chat1.crt'),
      key: '/keys/dc1-chat1/dc1-chat1.key',
    })
    expect(tlsFilesOf(parseConfig(good, 'c.yaml'), 'a')).toBe(undefined)
  })

  test.each<[string, () => Promise<string>, string, string]>([
    ['that is not there', async () => join(folder, 'none.yaml'), 'missing', 'no such file'],
    [
      'below a file',
      async () => join(await write('plain', 'x'), 'c.yaml'),
      'unreadable',
      'cannot be read: ENOTDIR: not a directory',
    ],
    [
      'that is not text',
      () => write('binary', new Uint8Array([0x69, 0xff, 0xfe])),
      'unreadable',
      'cannot be read: The encoded data was not valid for encoding utf-8',
    ],
    [
      'that is a directory',
      async () => {
        await mkdir(join(folder, 'dir'))
        return join(folder, 'dir')
      },
      'unreadable',
      'cannot be read: EISDIR: illegal operation on a directory',
    ],
    [
      'that is far too large',
      async () => {
        const path = await write('large', '')
        await truncate(path, 5 * 1024 * 1024)
        return path
      },
      'unreadable',
      'cannot be read: 5242880 bytes, above the limit of 4194304',
    ],
  ])('%s', async (_, make, code, message) => {
    const path = await make()
    const error = await errorOf(loadConfigFile(path))
    expect(error.code).toBe(code)
    expect(error.message).toBe(`${path}: ${message}`)
  })
})

describe('a file as a source', () => {
  test('is read at the start and again on request, and tells only what changed', async () => {
    const path = await write('source.yaml', good)
    const source = fileSource(path)
    const seen: string[][] = []
    source.onChange(config => seen.push(Object.keys(config.nodes)))
    expect(Object.keys((await source.start()).nodes)).toEqual(['a', 'b'])
    const version = source.status().version
    expect(version).toMatch(/^[0-9a-f]{12}$/)

    expect(await source.reload()).toBe(true)
    await write('source.yaml', `# only a comment\n${good}`)
    expect(await source.reload()).toBe(true)
    expect(seen).toEqual([])

    await write('source.yaml', `${good}  c: { mesh: 127.0.0.1:7703 }\n`)
    expect(await source.reload()).toBe(true)
    expect(seen).toEqual([['a', 'b', 'c']])
    expect(source.status()).toMatchObject({
      kind: 'file',
      place: path,
      staleSinceMs: undefined,
      lastError: undefined,
    })
    expect(source.status().version).not.toBe(version)
  })

  test('keeps the last good one when the file becomes wrong, says so once, and recovers', async () => {
    const path = await write('worse.yaml', good)
    const source = fileSource(path)
    const told: string[] = []
    source.onProblem(problem => told.push(problem))
    source.onChange(() => expect.unreachable('nothing changed'))
    await source.start()
    const { version } = source.status()

    await write('worse.yaml', 'id: 3\n')
    expect(await source.reload()).toBe(false)
    expect(await source.reload()).toBe(false)
    expect(told).toHaveLength(1)
    expect(told[0]).toContain(`${path}:1:1: id: not a text: 3`)
    expect(source.status()).toMatchObject({ version, lastError: told[0] })
    expect(source.status().staleSinceMs).toBeTypeOf('number')

    await write('worse.yaml', good)
    expect(await source.reload()).toBe(true)
    expect(source.status()).toMatchObject({ version, lastError: undefined, staleSinceMs: undefined })
  })

  test('does not start without its file', async () => {
    expect((await errorOf(fileSource(join(folder, 'none.yaml')).start())).code).toBe('missing')
  })

  test('survives a listener that throws, and says so', async () => {
    const path = await write('thrower.yaml', good)
    const source = fileSource(path)
    const told: string[] = []
    source.onProblem(problem => told.push(problem))
    source.onChange(() => {
      throw new Error('boom')
    })
    await source.start()
    await write('thrower.yaml', good.replace('7702', '7709'))
    expect(await source.reload()).toBe(true)
    expect(told).toEqual(['a listener for changes failed: boom'])
  })

  test('a listener that was taken back hears nothing', async () => {
    const path = await write('quiet.yaml', good)
    const source = fileSource(path)
    const stop = source.onChange(() => expect.unreachable('taken back'))
    await source.start()
    stop()
    await write('quiet.yaml', good.replace('7702', '7709'))
    expect(await source.reload()).toBe(true)
    expect(source.status().lastError).toBeUndefined()
  })
})

test('a fixed source gives what it was given', async () => {
  const config = parseConfig(good, 'c.yaml')
  const source = fixedSource(config, 'embedded')
  expect(await source.start()).toBe(config)
  expect(source.status()).toMatchObject({ kind: 'fixed', place: 'embedded', lastError: undefined })
})
