/** `wand group diff`: who holds a wrong view of whose members, of which, and since when. */
import type { Command } from 'commander'
import type { ViewDiff, WrongView } from '../../admin/diff-routes.ts'
import type { HeldMember } from '../../admin/queries.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { printDuration } from '../duration.ts'
import { exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { printMoment } from '../moment.ts'
import { optionsOf } from '../options.ts'
import { type Paint, printable, printCount, printTable, right } from '../table.ts'

/** Members that are named of one view. */
const NAMED_MAX = 5

export function registerGroupDiff(group: Command, io: Io): void {
  const command = group
    .command('diff')
    .argument('[group]', 'only what differs in this group')
    .helpGroup(wants.look)
    .description('who holds a wrong view of whose members')
    .action(async (name: string | undefined, _own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      const query = new URLSearchParams(name === undefined ? {} : { group: name })
      const empty: ViewDiff = {
        ...{ group: name ?? null, nodes: 0, owners: 0, views: 0, scopes: 0, settled: 0, wrong: [] },
      }
      const document = await client.get<ViewDiff>('compare views', 'diff', empty, query)
      printAnswer(io, options, document, diff => (diff.nodes === 0 ? '' : printDiff(diff, painter(io))))
      const { wrong } = document.data
      if (wrong.some(({ lasting }) => lasting)) io.setExitCode(exitCode.no)
      else if (wrong.length > 0) io.setExitCode(exitCode.partial)
    })
  examples(command, [
    ['wand group diff', 'exit code 0: all equal, 1: some view stays wrong, 75: ask again'],
    ['wand group diff mailbox/3', 'who sees other members in this group than there are'],
    ["wand group diff --json | jq '.data.wrong[] | {owner, holder, why}'", 'for a script'],
  ])
}

function printDiff(diff: ViewDiff, paint: Paint): string {
  const { group, nodes, owners, views, scopes, settled, wrong } = diff
  const caught = settled === 0 ? '' : `; ${count(settled, 'view')} caught up meanwhile`
  const what = `${count(nodes, 'node')}, ${count(owners, 'owner')}, ${count(views, 'view')} in ${count(scopes, 'scope')} compared${caught}`
  const of = group === null ? '' : ` in ${printable(group)}`
  const lasting = wrong.filter(view => view.lasting)
  if (wrong.length === 0) return `${paint('green', 'equal')}${of}: ${what}\n`
  const moving = wrong.length - lasting.length
  const verdict = [
    lasting.length > 0 ? paint('red', `${count(lasting.length, 'view')} wrong`) : '',
    moving > 0 ? paint('yellow', `${count(moving, 'change')} under way`) : '',
  ].filter(text => text !== '')
  return `${verdict.join(', ')}${of}: ${what}\n\n${printViews(wrong, paint)}${printLists(lasting)}`
}

function printViews(wrong: readonly WrongView[], paint: Paint): string {
  return printTable(
    [
      ...['scope', 'owner', 'held by', 'what'],
      ...[right('missing'), right('too many'), right('owner at'), right('held at'), 'since'],
    ],
    wrong.map(view => [
      ...[view.scope, view.owner, view.holder],
      view.lasting ? { text: whatOf(view), look: 'red' } : `under way: ${whatOf(view)}`,
      view.missing === null ? '?' : printCount(view.missing.length),
      view.tooMany === null ? '?' : printCount(view.tooMany.length),
      printCount(view.own.number),
      view.held === null ? '-' : printCount(view.held.number),
      printSince(view.sinceMs),
    ]),
    paint,
  )
}

/** Which members; beyond a few of each view the rest is counted. */
function printLists(wrong: readonly WrongView[]): string {
  const lines = wrong.flatMap(({ owner, holder, missing, tooMany }) => [
    ...named(`${holder} lacks of ${owner}`, missing),
    ...named(`${holder} has too many of ${owner}`, tooMany),
  ])
  return lines.length === 0 ? '' : `\n${lines.join('\n')}\n`
}

function named(what: string, members: readonly HeldMember[] | null): string[] {
  if (members === null || members.length === 0) return []
  const some = members.slice(0, NAMED_MAX).map(({ group, pid, times, meta }) => {
    const often = times > 1 ? ` x${times}` : ''
    return `  ${printable(group)}  ${printable(pid)}${often}${meta === '' ? '' : ` ${printable(meta)}`}`
  })
  const more = members.length > NAMED_MAX ? [`  and ${printCount(members.length - NAMED_MAX)} more`] : []
  return [`${what}:`, ...some, ...more]
}

function whatOf({ why, suspect }: WrongView): string {
  return suspect ? `${why}, suspect` : why
}

function printSince(sinceMs: number): string {
  return `${printMoment(sinceMs)}, ${printDuration(Math.max(0, Date.now() - sinceMs))} ago`
}

function count(number: number, what: string): string {
  return `${printCount(number)} ${what}${number === 1 ? '' : 's'}`
}
