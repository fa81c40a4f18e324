/**
 * Whom a node believes over TLS, and what it shows of itself: one private authority (or two, while one follows the other), its own
 * certificate, its own key. Checked as a whole before it is used, so that what cannot work is said at the start and not by every peer.
 *
 * Invariants: the machine's own list of authorities is never consulted; an authority that we name has issued a certificate itself, with
 * nobody in between (Node does not tell an acceptor what stands in between, so it could not be looked at again). The X.509 is Node's.
 */
import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import { TransportError } from '../errors.ts'

/** Said in the TLS handshake, so that a stranger's TLS connection ends there. */
export const alpnProtocol = 'wandist/1'

/** What one node shows and believes; each in PEM. */
export interface Credentials {
  /** The authorities whose certificates are believed; several while one follows another. */
  readonly ca: string
  /** Our certificate, issued by one of them itself. */
  readonly certificate: string
  /** Its key, not encrypted. */
  readonly key: string
}

/** Stands before a node's name in a URI. */
const scheme = 'wandist:'
export class Trust {
  readonly contextOptions: tls.SecureContextOptions
  readonly context: tls.SecureContext
  /** The names that our own certificate proves. */
  readonly names: readonly string[]
  /** When it expires. */
  readonly validUntil: Date
  readonly #authorities: readonly X509Certificate[]

  /** @throws TransportError `bad-certificate`, with what is wrong with which of the three */
  constructor({ ca, certificate, key }: Credentials) {
    this.#authorities = certificatesIn('ca', ca)
    // An empty list would mean the machine's own to Node.
    if (this.#authorities.length === 0) throw wrong('ca', 'holds no certificate')
    if (!this.#authorities.every(authority => authority.ca)) throw wrong('ca', 'not of an authority')
    const own = certificatesIn('certificate', certificate)[0]
    if (own === undefined) throw wrong('certificate', 'holds none')
    if (!own.checkPrivateKey(privateKey(key))) throw wrong('key', 'does not belong to tls.certificate')
    if (!this.issued(own)) throw wrong('certificate', 'not issued by tls.ca')
    checkTimes(own)
    this.names = namesIn(own)
    this.validUntil = own.validToDate
    this.contextOptions = {
      ca,
      cert: certificate,
      key,
      // An authority that has its own from another one is good enough, if it is named.
      allowPartialTrustChain: true,
      minVersion: 'TLSv1.3',
      maxVersion: 'TLSv1.3',
      // Without tickets, and without a cache of our own, no session can be resumed.
      secureOptions: constants.SSL_OP_NO_TICKET,
    }
    this.context = tls.createSecureContext(this.contextOptions)
  }

  /** Whether one of the authorities has itself issued the certificate; says nothing of its times. */
  issued(certificate: X509Certificate): boolean {
    return this.#authorities.some(
      authority => certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
    )
  }
}

/**
 * The node names that a certificate proves: its DNS names, and what stands behind `wandist:` in its URIs. Nothing is a pattern: `*` is no node.
 * Node prints the names as `DNS:a, URI:wandist:a`, those with odd characters in quotes; of a list that does not read so, nothing is believed.
 */
export function namesIn(certificate: X509Certificate): readonly string[] {
  const text = certificate.subjectAltName ?? ''
  const entry = /(?:^|, )([A-Za-z0-9 ]+):(?:"(?:[^"\\]|\\.)*"|([^",]*))/y
  const names = new Set<string>()
  while (entry.lastIndex < text.length) {
    const [, kind, value] = entry.exec(text) ?? []
    if (kind === undefined) return []
    if (kind === 'DNS') names.add(value ?? '')
    else if (kind === 'URI' && value?.startsWith(scheme)) names.add(value.slice(scheme.length))
  }
  names.delete('')
  return [...names]
}

function certificatesIn(what: 'ca' | 'certificate', pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  try {
    return blocks.map(block => new X509Certificate(block))
  } catch (error) {
    throw wrong(what, `cannot be read: ${(error as Error).message}`)
  }
}

function privateKey(pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem)
  } catch {
    // What OpenSSL says of a key is not repeated: nothing of a key belongs in a log.
    throw wrong('key', 'no private key in PEM without a passphrase')
  }
}

function checkTimes(certificate: X509Certificate): void {
  const nowMs = Date.now()
  if (nowMs > certificate.validToDate.getTime())
    throw wrong('certificate', `expired: ${certificate.validToDate.toISOString()}`)
  if (nowMs < certificate.validFromDate.getTime())
    throw wrong('certificate', `not valid before ${certificate.validFromDate.toISOString()}`)
}

function wrong(what: keyof Credentials, is: string): TransportError {
  return new TransportError('bad-certificate', `use tls.${what}: ${is}`)
}
