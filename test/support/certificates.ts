/**
 * Private authorities and certificates for tests, bent in whatever way a test wants them. Made by `openssl`, kept in memory; what the
 * product makes for its users (`wand cert`) has tests of its own.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Credentials } from '../../transport/index.ts'

/** How a certificate differs from a good one. */
export interface Bent {
  /** What stands in it, as OpenSSL writes it; default `DNS:<name>,URI:wandist:<name>`. */
  readonly altNames?: string
  /** Below 0: expired. */
  readonly days?: number
  /** Issued by an authority that this one has issued, and that is shown as well. */
  readonly between?: boolean
}

export class Authority {
  /** The authority's own certificate, PEM. */
  readonly ca: string
  readonly #key: string
  #serial = 1

  constructor(name = 'test authority') {
    using scratch = new Scratch()
    const line = ['-keyout', 'ca.key', '-out', 'ca.crt', '-days', '30', '-subj', `/CN=${name}`]
    scratch.openssl('req', '-x509', ...newKey, ...line, '-extensions', 'v3_ca')
    this.ca = scratch.read('ca.crt')
    this.#key = scratch.read('ca.key')
  }

  /** All that a node called `name` needs. */
  issue(name: string, bent: Bent = {}): Credentials {
    const { altNames = `DNS:${name},URI:wandist:${name}`, days = 30, between = false } = bent
    using scratch = new Scratch()
    scratch.write('ca.crt', this.ca)
    scratch.write('ca.key', this.#key)
    if (between) this.#sign(scratch, { by: 'ca', name: 'between', extension: authorityExtension, days })
    const by = between ? 'between' : 'ca'
    this.#sign(scratch, { by, name: 'node', extension: `subjectAltName=${altNames}`, days })
    const certificate = scratch.read('node.crt') + (between ? scratch.read('between.crt') : '')
    return { ca: this.ca, certificate, key: scratch.read('node.key') }
  }

  #sign(scratch: Scratch, { by, name, extension, days }: Signed): void {
    const file = (ending: string) => `${name}.${ending}`
    scratch.write(file('ext'), `${extension}\n`)
    scratch.openssl(
      'req',
      '-new',
      ...newKey,
      '-keyout',
      file('key'),
      '-out',
      file('csr'),
      '-subj',
      `/CN=${name}`,
    )
    const signed = ['-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-set_serial', String(this.#serial++)]
    const line = ['-in', file('csr'), '-extfile', file('ext'), '-days', String(days), '-out', file('crt')]
    scratch.openssl('x509', '-req', ...signed, ...line)
  }
}

interface Signed {
  readonly by: string
  readonly name: string
  readonly extension: string
  readonly days: number
}

const authorityExtension = 'basicConstraints=critical,CA:TRUE'
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** A directory for `openssl` to work in, gone at the end. */
class Scratch implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'wandist-ca-'))

  openssl(...line: string[]): void {
    this.write('cnf', `[req]\ndistinguished_name=dn\n[dn]\n[v3_ca]\n${authorityExtension}\n`)
    execFileSync('openssl', line, {
      cwd: this.#directory,
      env: { ...process.env, OPENSSL_CONF: join(this.#directory, 'cnf') },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.#directory, name), text)
  }

  read(name: string): string {
    return readFileSync(join(this.#directory, name), 'utf8')
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true })
  }
}
