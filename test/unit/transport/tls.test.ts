/**
 * Who gets in over TLS and who does not, on real sockets; and what becomes of links when certificates are renewed.
 * That no session is resumed is C22 in test/claims.test.ts.
 */

import { X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { namesIn } from '../../../transport/carriers/tls-trust.ts'
import {
  type Carrier,
  type Credentials,
  Lane,
  type MeshOptions,
  parseAddress,
  Sent,
  TlsCarrier,
  tcpCarrier,
} from '../../../transport/index.ts'
import { Authority } from '../../support/certificates.ts'
import { areLinked, Meshes, type MeshNode } from '../../support/meshes.ts'
import { until } from '../../support/until.ts'

const authority = new Authority()
const other = new Authority('other authority')
const good = { a: authority.issue('a'), b: authority.issue('b') }

const meshes = new Meshes()
afterEach(() => meshes.stop())

/** A node that needs no secret, unless told. */
function node(name: string, carrier: Carrier, options: Partial<MeshOptions> = {}): Promise<MeshNode> {
  return meshes.node(name, { secrets: [], ...options }, carrier)
}

/** b dials a; a is told of b but does not dial, so that each side's part can be told apart. */
function dial(b: MeshNode, a: MeshNode): void {
  a.mesh.configure([{ node: b.name, address: '127.0.0.1:1' }])
  b.mesh.configure([{ node: a.name, address: a.mesh.address }])
}

/** What `node` has closed with `reason`, the detail of each. */
function details({ mesh }: MeshNode, reason: string): string[] {
  return mesh.closedLinks.filter(link => link.reason === reason).map(({ detail }) => detail)
}

async function pair(a: Credentials = good.a, b: Credentials = good.b, options: Partial<MeshOptions> = {}) {
  const carriers = { a: new TlsCarrier(a), b: new TlsCarrier(b) }
  const nodes = { a: await node('a', carriers.a, options), b: await node('b', carriers.b, options) }
  dial(nodes.b, nodes.a)
  return { ...nodes, carriers }
}

/** A TLS client who is no wandist node; resolves with how its connection ended. */
function visit(address: string, options: tls.ConnectionOptions): Promise<string> {
  const { host, port } = parseAddress(address)
  return new Promise(resolve => {
    let said = 'closed'
    const socket = tls.connect({
      host,
      port,
      ca: authority.ca,
      checkServerIdentity: () => undefined,
      ...options,
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      said = error.code ?? error.message
    })
    socket.on('close', () => resolve(said))
    socket.resume()
  })
}

describe('two nodes with certificates of one authority', () => {
  test('are linked, talk, and need no secret', async () => {
    const { a, b } = await pair()
    await until(() => areLinked(a, b))
    expect(b.mesh.peer('a')!.send(2, Lane.ordinary, Buffer.from('over TLS'), undefined)).toBe(Sent.ok)
    await until(() => a.heard.length === 1)
    expect(a.heard).toEqual(['over TLS'])
  })

  test('are not linked when their secrets differ: a secret that is given is still asked for', async () => {
    const a = await node('a', new TlsCarrier(good.a), { secrets: ['one'] })
    const b = await node('b', new TlsCarrier(good.b), { secrets: ['two'] })
    dial(b, a)
    await until(() => details(a, 'wrong-secret').length > 0)
    expect(a.log).toEqual([])
  })

  test('are linked by a certificate that names the node in a URI alone', async () => {
    const { a, b } = await pair(good.a, authority.issue('b', { altNames: 'URI:wandist:b' }))
    await until(() => areLinked(a, b))
  })
})

describe('a dialler is turned away, and both ends know why:', () => {
  test('right authority, wrong name', async () => {
    const { a, b } = await pair(good.a, authority.issue('c'))
    await until(() => details(b, 'wrong-certificate').length > 0)
    expect(details(a, 'wrong-certificate')).toEqual(['b shows a certificate of c'])
    expect(b.refusals).toContain('a wrong-certificate: b shows a certificate of c')
  })

  test('a certificate for no node', async () => {
    const { a } = await pair(good.a, authority.issue('b', { altNames: 'URI:https://b,IP:127.0.0.1' }))
    await until(() => details(a, 'wrong-certificate').length > 0)
    expect(details(a, 'wrong-certificate')).toEqual(['b shows a certificate of no node'])
  })

  test('another authority', async () => {
    // It believes a's authority, but shows a certificate of its own.
    const a = await node('a', new TlsCarrier(good.a))
    const { certificate, key } = other.issue('b')
    const b = await node('b', new TlsCarrier({ ca: `${authority.ca}${other.ca}`, certificate, key }))
    dial(b, a)
    await until(() => details(b, 'wrong-certificate').length > 0)
    expect(details(a, 'wrong-certificate')[0]).toBe('certificate refused: SELF_SIGNED_CERT_IN_CHAIN')
    expect(b.refusals[0]).toMatch(/^a wrong-certificate: certificate refused: /)
  })

  const visitors: [string, tls.ConnectionOptions, string][] = [
    ['no certificate', {}, 'shows no certificate'],
    [
      'an expired one',
      certified(authority.issue('b', { days: -1 })),
      'certificate refused: CERT_HAS_EXPIRED',
    ],
    [
      'one that an authority of our authority issued',
      certified(authority.issue('b', { between: true })),
      'its certificate was not issued by an authority of ours',
    ],
    ['one of nobody', certified(other.issue('b')), 'certificate refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ]
  test.each(visitors)('%s', async (_what, options, detail) => {
    const a = await node('a', new TlsCarrier(good.a))
    expect(await visit(a.mesh.address, { ALPNProtocols: ['wandist/1'], ...options })).toBe('closed')
    await until(() => details(a, 'wrong-certificate').length > 0)
    expect(details(a, 'wrong-certificate')).toEqual([detail])
  })
})

function certified({ certificate, key }: Credentials): tls.ConnectionOptions {
  return { cert: certificate, key }
}

describe('a dialler turns away', () => {
  test('an acceptor of another authority', async () => {
    const { a, b } = await pair(other.issue('a'), good.b)
    await until(() => details(b, 'wrong-certificate').length > 0)
    expect(details(b, 'wrong-certificate')[0]).toMatch(/^certificate refused: /)
    expect([a.log, b.log, a.refusals, b.refusals]).toEqual([[], [], [], []])
  })

  test('an acceptor that has another node’s certificate', async () => {
    const { b } = await pair(authority.issue('c'), good.b)
    await until(() => details(b, 'wrong-certificate').length > 0)
    expect(details(b, 'wrong-certificate')).toEqual(['a shows a certificate of c'])
  })
})

describe('what is no TLS 1.3 with wandist inside does not come far:', () => {
  const strangers: [string, tls.ConnectionOptions, RegExp][] = [
    [
      'TLS 1.2',
      { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2', ALPNProtocols: ['wandist/1'] },
      /PROTOCOL_VERSION/,
    ],
    ['another protocol inside', { ALPNProtocols: ['h2'] }, /NO_APPLICATION_PROTOCOL/],
    ['no protocol named', {}, /^closed$/],
  ]
  test.each(strangers)('%s', async (_what, options, end) => {
    const a = await node('a', new TlsCarrier(good.a))
    expect(await visit(a.mesh.address, { ...certified(good.b), ...options })).toMatch(end)
    await until(() => a.mesh.closedLinks.length > 0 && a.mesh.openLinks === 0)
    expect(a.log).toEqual([])
  })

  test.each([
    ['plain TCP dials TLS', () => tcpCarrier, () => new TlsCarrier(good.a)],
    ['TLS dials plain TCP', () => new TlsCarrier(good.b), () => tcpCarrier],
  ])('%s', async (_what, dialling, accepting) => {
    const a = await node('a', accepting())
    const b = await node('b', dialling())
    dial(b, a)
    await until(() => a.mesh.closedLinks.length > 0 && b.mesh.closedLinks.some(({ node }) => node === 'a'))
    b.mesh.configure([])
    await until(() => a.mesh.openLinks === 0 && b.mesh.openLinks === 0)
    expect([a.log, b.log, a.refusals, b.refusals]).toEqual([[], [], [], []])
  })

  test('a connection that never begins its TLS handshake is out after the one deadline, and counts as a stranger', async () => {
    const a = await node('a', new TlsCarrier(good.a), { handshakesMax: 1, handshakeTimeoutMs: 300 })
    const silent = tcpCarrier.dial(a.mesh.address)
    let closed = false
    silent.attach({ onOpen() {}, onData() {}, onDrain() {}, onClose: () => (closed = true) })
    await until(() => a.mesh.openLinks === 1)
    expect(await visit(a.mesh.address, { ...certified(good.b), ALPNProtocols: ['wandist/1'] })).not.toBe(
      'closed',
    )
    expect(details(a, 'busy')).toHaveLength(1)
    await until(() => closed)
    expect(details(a, 'handshake-timeout')).toHaveLength(1)
  })
})

describe('renewed certificates', () => {
  test('are shown to whoever links next; a link that is up does not notice', async () => {
    const { a, b, carriers } = await pair()
    await until(() => areLinked(a, b))
    const renewed = authority.issue('a')
    carriers.a.renew(renewed)
    const serial = new X509Certificate(renewed.certificate).serialNumber
    const shown = await new Promise(resolve => {
      const { host, port } = parseAddress(a.mesh.address)
      const options = { ca: authority.ca, ...certified(good.b), ALPNProtocols: ['wandist/1'] }
      const socket = tls.connect({ host, port, ...options, checkServerIdentity: () => undefined }, () => {
        resolve(socket.getPeerX509Certificate()!.serialNumber)
        socket.destroy()
      })
    })
    expect(shown).toBe(serial)
    expect([a.log, b.log]).toEqual([['up b'], ['up a']])
  })

  test('of a new authority come in while both are believed, and the old one’s links end when it is taken away', async () => {
    const { a, b, carriers } = await pair()
    await until(() => areLinked(a, b))
    const both = `${authority.ca}${other.ca}`
    carriers.a.renew({ ...good.a, ca: both })
    carriers.b.renew({ ...good.b, ca: both })
    const [newA, newB] = [other.issue('a'), other.issue('b')]
    carriers.a.renew({ ...newA, ca: both })
    expect([a.log, b.log]).toEqual([['up b'], ['up a']])

    // b still lives on its old certificate.
    carriers.a.renew({ ...newA, ca: other.ca })
    expect(a.log).toEqual(['up b', 'down b wrong-certificate'])
    expect(details(a, 'wrong-certificate')).toEqual([
      'its certificate was not issued by an authority of ours',
    ])
    await until(() => b.refusals.some(line => line.startsWith('a wrong-certificate')))
    expect(b.log[1]).toBe('down a wrong-certificate')

    carriers.b.renew({ ...newB, ca: other.ca })
    await until(() => areLinked(a, b))
  })

  test('that cannot be used change nothing', async () => {
    const { a, b, carriers } = await pair()
    await until(() => areLinked(a, b))
    expect(() => carriers.a.renew({ ...good.a, key: good.b.key })).toThrow('does not belong')
    carriers.b.renew(good.b)
    expect([a.log, b.log]).toEqual([['up b'], ['up a']])
    expect(carriers.a.names).toEqual(['a'])
  })
})

describe('credentials that cannot be used say which part is wrong:', () => {
  const { a } = good
  const cases: [string, Credentials][] = [
    ['use tls.ca: holds no certificate', { ...a, ca: '' }],
    ['use tls.ca: not of an authority', { ...a, ca: a.certificate }],
    ['use tls.certificate: holds none', { ...a, certificate: 'no PEM' }],
    ['use tls.certificate: cannot be read', { ...a, certificate: a.certificate.replace(/M../, 'xxx') }],
    ['use tls.certificate: not issued by tls.ca', { ...a, ca: other.ca }],
    ['use tls.certificate: expired: 20', authority.issue('a', { days: -1 })],
    ['use tls.key: no private key', { ...a, key: 'no PEM' }],
    ['use tls.key: does not belong to tls.certificate', { ...a, key: good.b.key }],
  ]
  test.each(cases)('%s', (message, credentials) => {
    const make = () => new TlsCarrier(credentials)
    expect(make).toThrow(expect.objectContaining({ code: 'bad-certificate' }))
    expect(make).toThrow(message)
  })
})

describe('the names in a certificate', () => {
  test.each([
    ['DNS:a', ['a']],
    ['DNS:a,URI:wandist:a', ['a']],
    ['DNS:a,DNS:b.example,URI:wandist:c', ['a', 'b.example', 'c']],
    ['DNS:*', ['*']],
    ['IP:127.0.0.1,email:x@y', []],
    ['URI:wandist:', []],
    ['URI:http://wandist:b', []],
  ])('%s', (altNames, names) => {
    expect(namesIn(new X509Certificate(authority.issue('x', { altNames }).certificate))).toEqual(names)
  })

  test('are not read out of what stands inside another', () => {
    for (const subjectAltName of [
      'URI:"http://x, DNS:b"',
      'URI:"http://\\", DNS:b"',
      'DNS:a, "DNS:b',
      'DNS:a,DNS:b"',
    ])
      expect(namesIn({ subjectAltName } as X509Certificate)).not.toContain('b')
    expect(namesIn({ subjectAltName: undefined } as unknown as X509Certificate)).toEqual([])
  })
})
