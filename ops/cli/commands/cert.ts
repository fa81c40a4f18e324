/** `wand cert`: a private authority, and certificates for nodes, for those who have none. Made by `openssl`. */
import { type Command, InvalidArgumentError } from 'commander'
import type { Made } from '../../cert/authority.ts'
import { CliError, exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { type GlobalOptions, optionsOf } from '../options.ts'

interface NodeOptions extends GlobalOptions {
  readonly ca: string
  readonly out?: string
  readonly days: number
}

/** Short, for nodes take a renewed certificate on while they run. */
const NODE_DAYS = 90
const DAYS_MAX = 3_650

export function registerCert(program: Command, io: Io): void {
  const cert = program.command('cert').description('make certificates, so that nodes link over TLS')
  registerAuthority(cert, io)
  registerNodeCertificate(cert, io)
}

function registerAuthority(cert: Command, io: Io): void {
  const command = cert
    .command('ca')
    .argument('<dir>', 'where to put ca.crt and ca.key')
    .helpGroup(wants.change)
    .description('make a private certificate authority')
    .action(async (directory: string, _own, command: Command) => {
      const { makeAuthority } = await import('../../cert/authority.ts')
      print(io, optionsOf(command), await makeAuthority(directory, environment(io)))
    })
  examples(command, [['wand cert ca certs', 'ca.crt goes to every node; ca.key stays where it is']])
}

function registerNodeCertificate(cert: Command, io: Io): void {
  const command = cert
    .command('node')
    .argument('<name>', 'the node, as the configuration calls it')
    .requiredOption('--ca <dir>', 'where ca.crt and ca.key are')
    .option('--out <dir>', 'where to put NAME.crt and NAME.key; beside the authority when left out')
    .option('--days <count>', 'how long it is good for', parseDays, NODE_DAYS)
    .helpGroup(wants.change)
    .description('make or renew the certificate of a node')
    .action(async (node: string, _own, command: Command) => {
      const { namePattern } = await import('../../../cluster-config/index.ts')
      if (!namePattern.test(node)) {
        throw new CliError(exitCode.usage, `make certificate: not a name of a node: ${JSON.stringify(node)}`)
      }
      const options = optionsOf<NodeOptions>(command)
      const { issueCertificate } = await import('../../cert/authority.ts')
      const wanted = { node, authority: options.ca, out: options.out ?? options.ca, days: options.days }
      print(io, options, await issueCertificate(wanted, environment(io)))
    })
  examples(command, [
    ['wand cert node dc1-chat1 --ca certs', 'again before it expires: a running node takes it on'],
    ['wand cert node dc1-chat1 --ca certs --out /etc/wandist --days 7', 'somewhere else, and for a week'],
  ])
}

function print(io: Io, { json }: GlobalOptions, made: Made): void {
  if (json) io.stdout.write(`${JSON.stringify({ data: made, complete: true, missing: [] })}\n`)
  else io.stdout.write(`${made.certificate}\n${made.key}\n`)
}

function environment(io: Io): NodeJS.ProcessEnv {
  return { ...process.env, ...io.env }
}

function parseDays(text: string): number {
  const days = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (days >= 1 && days <= DAYS_MAX) return days
  throw new InvalidArgumentError(`A number from 1 to ${DAYS_MAX}.`)
}
