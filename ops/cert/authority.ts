/**
 * A private authority in a directory, and the certificates that it issues to nodes: for those who have no authority of their own.
 * The X.509 is OpenSSL's. Certificates name a node twice, as DNS name and as `wandist:` URI; transport believes either.
 *
 * A node's certificate and key are made anew each time, and take the old ones' place: that is also how they are renewed.
 */
import { randomBytes } from 'node:crypto'
import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CliError, exitCode } from '../cli/exit-code.ts'
import { Workshop } from './workshop.ts'

/** A pair of files. */
export interface Made {
  readonly certificate: string
  readonly key: string
}

/** What a node's certificate should be. */
export interface Wanted {
  readonly node: string
  /** The authority's directory. */
  readonly authority: string
  /** Where to put them. */
  readonly out: string
  readonly days: number
}

/** An authority lives longer than all that it issues. */
export const authorityDays = 3_650

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** Makes `ca.crt` and `ca.key`. @throws CliError `no` when there is an authority already: nothing would believe what it issued */
export async function makeAuthority(directory: string, env: NodeJS.ProcessEnv): Promise<Made> {
  const made = authorityIn(directory)
  if (await exists(made.key)) throw new CliError(exitCode.no, `make authority: there is one: ${made.key}`)
  await using workshop = await Workshop.in(directory, env)
  // Two authorities, one of which follows the other, must not have one name.
  const subject = `/CN=wandist authority ${randomBytes(4).toString('hex')}`
  const files = ['-keyout', 'key', '-out', 'crt', '-subj', subject, '-days', String(authorityDays)]
  await workshop.openssl('req', '-x509', '-sha256', ...newKey, ...files, '-extensions', 'authority')
  await workshop.place('key', made.key, 0o600)
  await workshop.place('crt', made.certificate, 0o644)
  return made
}

/** Makes `<node>.crt` and `<node>.key`. @throws CliError `missing` when there is no authority */
export async function issueCertificate(wanted: Wanted, env: NodeJS.ProcessEnv): Promise<Made> {
  const { node, authority, out, days } = wanted
  const by = authorityIn(resolve(authority))
  for (const file of [by.certificate, by.key]) {
    if (!(await exists(file)))
      throw new CliError(exitCode.missing, `make certificate: no authority: ${file} (wand cert ca makes one)`)
  }
  await using workshop = await Workshop.in(out, env)
  await workshop.write('extensions', extensionsFor(node))
  await workshop.openssl('req', '-new', ...newKey, '-keyout', 'key', '-out', 'csr', '-subj', `/CN=${node}`)
  const signed = [
    '-CA',
    by.certificate,
    '-CAkey',
    by.key,
    '-set_serial',
    `0x0${randomBytes(16).toString('hex')}`,
  ]
  const files = ['-in', 'csr', '-out', 'crt', '-extfile', 'extensions', '-days', String(days)]
  await workshop.openssl('x509', '-req', '-sha256', ...signed, ...files)
  const made = { certificate: join(out, `${node}.crt`), key: join(out, `${node}.key`) }
  await workshop.place('key', made.key, 0o600)
  await workshop.place('crt', made.certificate, 0o644)
  return made
}

function authorityIn(directory: string): Made {
  return { certificate: join(directory, 'ca.crt'), key: join(directory, 'ca.key') }
}

function extensionsFor(node: string): string {
  return `basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = DNS:${node}, URI:wandist:${node}
`
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
