/** A node's certificates: why it does not start with these, and what happens when the files change. */
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Certificates } from '../../node/certificates.ts'
import type { Log } from '../../node/log.ts'
import { type Credentials, realTimers, type Timers } from '../../transport/index.ts'
import { Authority } from '../support/certificates.ts'

const authority = new Authority()
const good = authority.issue('a')

let directory: string
let logged: string[]
let certificates: Certificates | undefined
/** What the node does at its next look at the files. */
let lookAgain: (() => void) | undefined

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wandist-tls-'))
  logged = []
})
afterEach(() => {
  certificates?.stop()
  certificates = undefined
  rmSync(directory, { recursive: true })
})

const timers: Timers = {
  ...realTimers,
  after: (_delayMs, run) => {
    lookAgain = run
  },
}

const log = {
  info: (_what: object, text: string) => logged.push(text),
  warn: ({ problem }: { problem: string }) => logged.push(problem),
} as unknown as Log

function write({ ca, certificate, key }: Credentials, keyMode = 0o600): void {
  for (const [name, text] of Object.entries({ ca, certificate, key })) {
    const file = join(directory, name)
    writeFileSync(`${file}.new`, text)
    chmodSync(`${file}.new`, name === 'key' ? keyMode : 0o644)
    renameSync(`${file}.new`, file)
  }
}

function make(): Certificates {
  const [ca, certificate, key] = ['ca', 'certificate', 'key'].map(name => join(directory, name))
  certificates = new Certificates({ ca: ca!, certificate: certificate!, key: key! }, 'a', timers, log)
  return certificates
}

describe('a node does not start', () => {
  const cases: [string, () => void, RegExp][] = [
    ['without its files', () => {}, /^start node: read tls.key: ENOENT.*key'$/],
    [
      'when others can read its key',
      () => write(good, 0o644),
      /^start node: read tls.key: others can read it: .*key has mode 644, want 600 or 640$/,
    ],
    [
      'with the certificate of another',
      () => write(authority.issue('b')),
      /tls.certificate: for b, not for a$/,
    ],
    [
      'with one that has expired',
      () => write(authority.issue('a', { days: -1 })),
      /tls.certificate: expired: 20/,
    ],
    [
      'with the key of another',
      () => write({ ...good, key: authority.issue('a').key }),
      /tls.key: does not belong/,
    ],
  ]
  test.each(cases)('%s', (_what, prepare, says) => {
    prepare()
    expect(make).toThrow(expect.objectContaining({ code: 'bad-certificate' }))
    expect(make).toThrow(says)
  })

  test('but with a key that its group can read, it does', () => {
    write(good, 0o640)
    expect(make().carrier.names).toEqual(['a'])
  })
})

describe('files that change', () => {
  /** Lets the node look at its files, and waits until it has. */
  async function look(): Promise<void> {
    const now = lookAgain!
    lookAgain = undefined
    now()
    await expect.poll(() => lookAgain, { interval: 1 }).toBeDefined()
  }

  test('are read again, once', async () => {
    write(good)
    const { carrier } = make()
    await certificates!.watch()
    await look()
    expect(logged).toEqual([])
    const renewed = authority.issue('a', { days: 60 })
    write(renewed)
    await look()
    await look()
    expect(logged).toEqual(['certificates reloaded'])
    expect(carrier.validUntil.getTime()).toBeGreaterThan(Date.now() + 50 * 86_400_000)
  })

  test('and do not fit together yet leave what was in force, until they do', async () => {
    write(good)
    make()
    await certificates!.watch()
    const renewed = authority.issue('a')
    write({ ...good, certificate: renewed.certificate })
    await look()
    await look()
    write(renewed)
    await look()
    expect(logged).toEqual(['use tls.key: does not belong to tls.certificate', 'certificates reloaded'])
  })

  test('are read at once when somebody asks, and never change into those of another node', () => {
    write(good)
    make()
    write(authority.issue('b'))
    expect(certificates!.reload()).toBe(false)
    expect(logged).toEqual(['use tls.certificate: for b, not for a'])
    expect(certificates!.carrier.names).toEqual(['a'])
    write(authority.issue('a'))
    expect(certificates!.reload()).toBe(true)
  })
})
