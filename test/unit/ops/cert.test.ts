/** `wand cert`: what it makes is what nodes believe, and no key leaves its file. */
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TlsCarrier } from '../../../transport/index.ts'
import { expectGolden, type Ran, wand } from './golden.ts'

let directory: string
let authority: Ran
let node: Ran

const at = (...path: string[]) => join(directory, ...path)
const read = (...path: string[]) => readFileSync(at(...path), 'utf8')

/** What a node reads. */
const credentials = (name: string, folder = 'certs') => ({
  ca: read('certs', 'ca.crt'),
  certificate: read(folder, `${name}.crt`),
  key: read(folder, `${name}.key`),
})

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wand-cert-'))
  authority = await wand(['cert', 'ca', at('certs')])
  node = await wand(['cert', 'node', 'dc1-chat1', '--ca', at('certs')])
})
afterAll(() => rmSync(directory, { recursive: true }))

describe('help', () => {
  for (const line of ['cert --help', 'cert ca --help', 'cert node --help']) {
    test(`of wand ${line}`, async () => {
      const argv = line.split(' ')
      expectGolden(`help-${argv.slice(0, -1).join('-')}`, argv, await wand(argv))
    })
  }
})

describe('an authority and a certificate', () => {
  test('are made, and their files are what is printed', () => {
    expect(authority).toMatchObject({ exitCode: 0, stdout: `${at('certs/ca.crt')}\n${at('certs/ca.key')}\n` })
    expect(node).toMatchObject({
      exitCode: 0,
      stdout: `${at('certs/dc1-chat1.crt')}\n${at('certs/dc1-chat1.key')}\n`,
    })
    expect([authority.stderr, node.stderr]).toEqual(['', ''])
  })

  test('are what a node believes', () => {
    expect(new TlsCarrier(credentials('dc1-chat1')).names).toEqual(['dc1-chat1'])
    const certificate = new X509Certificate(read('certs', 'dc1-chat1.crt'))
    expect(certificate.subjectAltName).toBe('DNS:dc1-chat1, URI:wandist:dc1-chat1')
    const days = (certificate.validToDate.getTime() - Date.now()) / 86_400_000
    expect(Math.round(days)).toBe(90)
  })

  test('leave keys that only their owner can read, and nothing else', () => {
    const files = readdirSync(at('certs'))
    expect(files.sort()).toEqual(['ca.crt', 'ca.key', 'dc1-chat1.crt', 'dc1-chat1.key'])
    const modes = files.map(file => (statSync(at('certs', file)).mode & 0o777).toString(8))
    expect(modes).toEqual(['644', '600', '644', '600'])
  })

  test('an authority of the same place is not made over', async () => {
    const before = read('certs', 'ca.key')
    const again = await wand(['cert', 'ca', at('certs')])
    expect(again).toMatchObject({
      exitCode: 1,
      stderr: `wand: make authority: there is one: ${at('certs/ca.key')}\n`,
    })
    expect(read('certs', 'ca.key')).toBe(before)
  })

  test('a certificate is renewed in its place, with another key', async () => {
    const before = credentials('dc1-chat1')
    const ran = await wand(['cert', 'node', 'dc1-chat1', '--ca', at('certs'), '--days', '7', '--json'])
    const made = { certificate: at('certs/dc1-chat1.crt'), key: at('certs/dc1-chat1.key') }
    expect(JSON.parse(ran.stdout)).toEqual({ data: made, complete: true, missing: [] })
    const after = credentials('dc1-chat1')
    expect(after.key).not.toBe(before.key)
    expect(new TlsCarrier(after).validUntil.getTime()).toBeLessThan(Date.now() + 8 * 86_400_000)
  })

  test('are made in directories relative to where one is', async () => {
    const here = relative(process.cwd(), at('relative'))
    expect(await wand(['cert', 'ca', here])).toMatchObject({
      exitCode: 0,
      stdout: `${here}/ca.crt\n${here}/ca.key\n`,
    })
    expect(await wand(['cert', 'node', 'a', '--ca', here])).toMatchObject({ exitCode: 0, stderr: '' })
    expect(existsSync(at('relative/a.key'))).toBe(true)
  })

  test('can be put elsewhere', async () => {
    await wand(['cert', 'node', 'dc2-chat1', '--ca', at('certs'), '--out', at('elsewhere')])
    expect(new TlsCarrier(credentials('dc2-chat1', 'elsewhere')).names).toEqual(['dc2-chat1'])
    expect(existsSync(at('certs/dc2-chat1.crt'))).toBe(false)
  })
})

describe('wand cert says in one line why it cannot', () => {
  async function fails(exitCode: number, says: string | RegExp, line: string[], env = {}): Promise<void> {
    const ran = await wand(['cert', ...line], { env })
    expect(ran.stderr).toMatch(says)
    expect(ran.stderr.trimEnd()).not.toContain('\n')
    expect(ran).toMatchObject({ exitCode, stdout: '' })
  }

  test('when openssl is not installed', async () => {
    await fails(69, /^wand: make certificates: openssl is not installed$/m, ['ca', at('none')], {
      PATH: at(),
    })
    expect(readdirSync(at('none'))).toEqual([])
  })

  test('when there is no authority', () =>
    fails(66, /^wand: make certificate: no authority: .*ca.crt \(wand cert ca makes one\)$/m, [
      ...['node', 'a', '--ca', at('nowhere')],
    ]))

  test('when the directory cannot be made', () =>
    fails(69, /^wand: make certificates: ENOTDIR/, ['ca', at('certs/ca.crt/below')]))

  test.each(['Dc1', 'a,URI:wandist:b', '../a', ''])('when %j is no name of a node', name =>
    fails(64, /^wand: make certificate: not a name of a node: /, ['node', name, '--ca', at('certs')]),
  )

  test.each(['0', '-1', '1.5', '4000', 'week'])('when %j is no number of days', days =>
    fails(64, /A number from 1 to 3650/, ['node', 'a', '--ca', at('certs'), `--days=${days}`]),
  )
})
