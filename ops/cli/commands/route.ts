/** `wand route …`: whom a message would go to, from which node, and why. Nothing is sent. */
import { type Command, Option } from 'commander'
import type { Candidate, Explanation } from '../../../routing/index.ts'
import { picks } from '../../admin/trace-routes.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { CliError, exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { optionsOf } from '../options.ts'
import { type Cell, type Paint, printable, printBytes, printCount, printTable, right } from '../table.ts'

interface Options {
  readonly service?: string
  readonly pick?: string
  readonly from?: string
}

export function registerRoute(program: Command, io: Io): void {
  const route = program.command('route').description('whom a message would go to')
  const command = route
    .command('trace')
    .argument('[group]', 'a group; with --service, the key')
    .argument('[key]', 'a key, for the member that it always goes to')
    .helpGroup(wants.look)
    .description('who would get a message, from which node, and why')
    .option('--service <name>', 'who owns a key of this service')
    .addOption(new Option('--pick <how>', 'how a member is picked without a key').choices(picks))
    .option('--from <node>', 'as this node chooses, with all candidates; else as each does')
    .action(async (group: string | undefined, key: string | undefined, _own, command: Command) => {
      const options = optionsOf<Options>(command)
      const query = new URLSearchParams(targetOf(group, key, options))
      if (options.from !== undefined) query.set('from', options.from)
      const client = await AdminClient.connect(io, options)
      const document = await client.get<readonly Explanation[]>('trace route', 'trace', [], query)
      const paint = painter(io)
      printAnswer(io, options, document, explanations =>
        options.from === undefined ? printChoices(explanations, paint) : printWhy(explanations, paint),
      )
      // Nobody is there to get it.
      const [only] = document.data
      if (options.from !== undefined && only?.chosen === null) io.setExitCode(exitCode.no)
    })
  examples(command, [
    ['wand route trace --service mailbox bob', "where bob's mailbox is, as each node sees it"],
    ['wand route trace chat --from dc1-chat1', 'all members in the order in which they are tried'],
    ['wand route trace chat bob', 'the member that this key always goes to'],
  ])
}

/** What is asked; wrong arguments are told apart here, for a line that says which. */
function targetOf(
  group: string | undefined,
  key: string | undefined,
  { service, pick }: Options,
): Record<string, string> {
  const fail = (why: string) => new CliError(exitCode.usage, `trace route: ${why}`)
  if (service !== undefined) {
    if (group === undefined) throw fail(`--service ${service} needs a key`)
    if (key !== undefined) throw fail('--service takes one key, and no group')
    if (pick !== undefined) throw fail('--pick is for groups; a service has an owner for each key')
    return { service, key: group }
  }
  if (group === undefined) throw fail('of what? GROUP [KEY], or --service NAME KEY')
  if (key !== undefined && pick !== undefined) throw fail('a key picks by itself: leave out --pick')
  return { group, ...(key === undefined ? {} : { key }), ...(pick === undefined ? {} : { pick }) }
}

/** A line for each node that would send. */
function printChoices(explanations: readonly Explanation[], paint: Paint): string {
  const [first] = explanations
  if (!first) return ''
  const heads = new Set(explanations.map(printService))
  // Nodes of one configuration say the same of a key; while one is taken on they may not.
  const isAgreed = heads.size === 1
  const table = printTable(
    ['from', 'goes to', 'distance', 'why', right('candidates'), 'pid'],
    explanations.map(explanation => {
      const { from, why, chosen, candidates } = explanation
      const one = candidates.find(({ pid }) => pid === chosen)
      return [
        from,
        chosen === null ? { text: 'nobody', look: 'red' } : nodeOf(chosen),
        one ? distanceOf(one) : '-',
        isAgreed ? why : `${why} (${printService(explanation)})`,
        printCount(candidates.length),
        chosen ?? '-',
      ]
    }),
    paint,
  )
  return `${head(first, isAgreed, paint)}\n${table}`
}

/** Everything that one node knows of it. */
function printWhy([explanation]: readonly Explanation[], paint: Paint): string {
  if (!explanation) return ''
  const { from, chosen, why, candidates } = explanation
  const result =
    chosen === null
      ? paint('red', `nobody: ${why}`)
      : `${paint('bold', nodeOf(chosen))} (${reasons[why] ?? why}): ${printable(chosen)}`
  const lines = [head(explanation, true, paint), `from ${from}: ${result}`]
  if (candidates.length === 0) return `${lines.join('\n')}\n`
  return `${lines.join('\n')}\n\n${printCandidates(explanation, paint)}`
}

function printCandidates({ candidates, chosen, service }: Explanation, paint: Paint): string {
  return printTable(
    ['', 'node', ...(service ? ['role'] : []), 'distance', right('weight'), right('queue'), 'state', 'pid'],
    candidates.map(candidate => {
      const cells: Cell[] = [
        candidate.pid === chosen ? '>' : '',
        candidate.node,
        ...(service ? [candidate.role ?? '-'] : []),
        distanceOf(candidate),
        String(candidate.weight),
        candidate.queueBytes === null ? '-' : printBytes(candidate.queueBytes),
        stateOf(candidate),
        candidate.pid + (candidate.times > 1 ? ` x${candidate.times}` : ''),
      ]
      return cells
    }),
    paint,
  )
}

const reasons: Readonly<Record<string, string>> = {
  primary: 'the primary',
  secondary: 'the secondary: the primary is not there',
  nearest: 'one of the nearest, in turn',
  'round-robin': 'whose turn it is',
  'least-queue': 'least waits before it',
  key: "the key's own",
  hint: 'it took the partition over',
}

function head(explanation: Explanation, isAgreed: boolean, paint: Paint): string {
  const { target } = explanation
  const service = isAgreed ? printService(explanation) : ''
  return `${paint('bold', printable(target))}${service === '' ? '' : `: ${service}`}`
}

/** `partition 3 of 8 on island one, primary a, secondary b`; nothing for a group. */
function printService({ service }: Explanation): string {
  if (!service) return ''
  const { partition, partitions, island, overridden, primary, secondary } = service
  const where = `partition ${partition} of ${partitions} on island ${printable(island)}${overridden ? ' (by an override)' : ''}`
  return `${where}, primary ${primary}, secondary ${secondary ?? 'none'}`
}

function stateOf({ draining, suspect, weight, reachable, zone, version }: Candidate): Cell {
  const troubles = [
    draining ? 'draining' : '',
    suspect ? 'suspect' : '',
    weight === 0 ? 'wants none' : '',
    reachable ? '' : 'no link',
  ].filter(text => text !== '')
  const notes = [zone === null ? '' : `zone ${zone}`, version === null ? '' : `version ${version}`]
  const all = [...troubles, ...notes.filter(text => text !== '')].join(', ')
  return troubles.length > 0 ? { text: all, look: 'yellow' } : all || 'well'
}

function distanceOf({ distance }: Candidate): string {
  return distance === 'self' ? 'node' : distance
}

function nodeOf(pid: string): string {
  return printable(pid.slice(0, pid.indexOf('/')))
}
