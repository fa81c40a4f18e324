/** `wand group history`: who was in a group at a time, and what happened since. */
import { type Command, Option } from 'commander'
import type { GroupHistory, PastEvent, PastMemberRow } from '../../admin/history-routes.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { printDuration } from '../duration.ts'
import { CliError, exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { parseMoment, printMoment } from '../moment.ts'
import { optionsOf } from '../options.ts'
import { type Paint, printable, printCount, printTable } from '../table.ts'

/** Processes that an event's line names. */
const NAMED_MAX = 3

interface Options {
  readonly at?: number
  readonly since?: number
}

export function registerGroupHistory(group: Command, io: Io): void {
  const command = group
    .command('history')
    .argument('<group>', 'name of the group')
    .helpGroup(wants.look)
    .description('who was a member when; joins, leaves, lost links')
    .addOption(new Option('--at <time>', 'the members then: 5m (ago), 18:30:05 or ISO').argParser(moment))
    .addOption(
      new Option('--since <time>', 'what happened from then on, until --at or now').argParser(moment),
    )
    .action(async (name: string, _own, command: Command) => {
      const options = optionsOf<Options>(command)
      const { at, since } = options
      if (at === undefined && since === undefined)
        throw new CliError(exitCode.usage, `history of ${name}: when? --at TIME or --since TIME`)
      const atMs = at ?? Date.now()
      if (since !== undefined && since > atMs)
        throw new CliError(exitCode.usage, `history of ${name}: --since is later than --at`)
      const client = await AdminClient.connect(io, options)
      const query = new URLSearchParams({ group: name, atMs: String(atMs) })
      if (since !== undefined) query.set('sinceMs', String(since))
      const document = await client.get<GroupHistory | null>('read history', 'history', null, query)
      const paint = painter(io)
      printAnswer(io, options, document, past => (past === null ? '' : printHistory(past, paint)))
      if (document.data?.unknown.length) io.setExitCode(exitCode.partial)
    })
  examples(command, [
    ['wand group history mailbox/3 --at 5m', 'who served partition 3 five minutes ago'],
    ['wand group history chat --since 18:30', 'what happened to it since half past six'],
    ['wand group history chat --since 10m --at 5m --json', 'for a script'],
  ])
}

function moment(text: string): number {
  return parseMoment(text)
}

function printHistory(past: GroupHistory, paint: Paint): string {
  const { group, atMs, sinceMs, members, events, unknown } = past
  const parts: string[] = []
  if (sinceMs !== null) {
    parts.push(
      `${paint('bold', printable(group))} from ${printTime(sinceMs)} to ${printTime(atMs)}: ${count(events.length, 'event')}\n`,
      events.length === 0 ? '' : `${printEvents(events, paint)}\n`,
    )
  }
  parts.push(
    `${paint('bold', printable(group))} ${isNow(atMs) ? 'now' : `at ${printTime(atMs)}`}: ${count(members.length, 'member')}\n`,
    members.length === 0 ? '' : printMembers(members, paint),
    printReach(past),
    ...printUnknown(unknown).map(line => `${paint('yellow', line)}\n`),
  )
  return parts.join('')
}

function printMembers(members: readonly PastMemberRow[], paint: Paint): string {
  return printTable(
    ['scope', 'node', 'datacenter', 'pid', 'said by'],
    members.map(({ scope, node, datacenter, pid, times, suspect, saidBy }) => [
      ...[scope, node, datacenter],
      `${pid}${times > 1 ? ` x${times}` : ''}${suspect ? ' (suspect)' : ''}`,
      saidBy.length === 1 && saidBy[0] === node ? 'itself' : some(saidBy),
    ]),
    paint,
  )
}

function printEvents(events: readonly PastEvent[], paint: Paint): string {
  return printTable(
    ['time', 'what', 'node', 'said by', 'members'],
    together(events).map(({ atMs, kind, node, saidBy, pids, count, why }) => [
      printMoment(atMs),
      words[kind] ?? kind,
      node,
      saidBy[0] === node ? 'itself' : some(saidBy),
      pids.length > 0 ? `${printCount(count)}: ${some(pids, count)}` : why,
    ]),
    paint,
  )
}

interface Line extends Omit<PastEvent, 'saidBy'> {
  readonly saidBy: string[]
}

/** What several nodes say of one node's links in the same second is one line. */
function together(events: readonly PastEvent[]): Line[] {
  const lines: Line[] = []
  const last = new Map<string, Line>()
  for (const event of events) {
    const { atMs, kind, node, why, scope, saidBy } = event
    const key = [printMoment(atMs), kind, node, why].join(' ')
    const before = scope === null ? last.get(key) : undefined
    if (before) {
      before.saidBy.push(saidBy)
      continue
    }
    const line = { ...event, saidBy: [saidBy] }
    lines.push(line)
    last.set(key, line)
  }
  return lines
}

/** One line for all nodes with the same reason. */
function printUnknown(unknown: GroupHistory['unknown']): string[] {
  const byWhy = Map.groupBy(unknown, ({ why }) => why)
  return Array.from(
    byWhy,
    ([why, nodes]) => `not known: members on ${some(nodes.map(({ node }) => node))}: ${why}`,
  )
}

const words: Readonly<Record<string, string>> = {
  appeared: 'first seen',
  forgot: 'forgotten',
  'link-up': 'link up',
  'link-down': 'link down',
}

function some(names: readonly string[], total = names.length): string {
  const more = total > NAMED_MAX ? ` and ${printCount(total - NAMED_MAX)} more` : ''
  return names.slice(0, NAMED_MAX).join(', ') + more
}

/** The journal that reaches back least far bounds what can be asked. */
function printReach({ journals }: GroupHistory): string {
  const least = journals.toSorted((one, other) => other.reachMs - one.reachMs)[0]
  if (!least) return ''
  const of = `${count(journals.length, 'journal')} ${journals.length === 1 ? 'reaches' : 'reach'}`
  return `${of} back to ${printTime(least.reachMs)} or further; the shortest is ${least.node}'s\n`
}

function printTime(atMs: number): string {
  return isNow(atMs) ? 'now' : `${printMoment(atMs)} (${printDuration(Date.now() - atMs)} ago)`
}

function isNow(atMs: number): boolean {
  return Date.now() - atMs < 1_000
}

function count(number: number, what: string): string {
  return `${printCount(number)} ${what}${number === 1 ? '' : 's'}`
}
