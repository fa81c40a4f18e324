/**
 * `wand peer list`: every link from both its ends, a line each, and what they add up to.
 *
 * Source: `nats server report gateways`.
 */
import { type Command, Option } from 'commander'
import { losses, refusals, sumOf } from '../../fates.ts'
import type { PeerRow } from '../../peer-report.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { printDuration } from '../duration.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { optionsOf } from '../options.ts'
import { type Cell, type Column, type Paint, printBytes, printCount, printTable, right } from '../table.ts'

/** A column: what it shows of a row, what stands below it, and how `--sort` with its title orders rows. */
interface PeerColumn {
  readonly column: Column
  cell(row: PeerRow): Cell
  total(rows: readonly PeerRow[]): string
  /** Names from a to z, numbers from the smallest; rows of the same order stay as they came. */
  order(row: PeerRow): string | number
}

const columns: Readonly<Record<string, PeerColumn>> = {
  node: { ...nameColumn('node', row => row.node), total: () => 'total' },
  peer: { ...nameColumn('peer', row => row.peer), total: rows => printCount(rows.length) },
  cluster: nameColumn('cluster', row => row.cluster),
  link: {
    column: 'link',
    cell: linkCell,
    total: rows => `${printCount(rows.filter(row => row.linked).length)} up`,
    // What is down first, then the youngest link.
    order: row => (row.linked ? (row.linkedForS ?? 0) : -1),
  },
  rtt: {
    column: right('rtt'),
    cell: row => printRoundTrip(row.roundTripMs),
    total: () => '',
    order: row => -(row.roundTripMs ?? -1),
  },
  queue: numberColumn('queue', row => row.queueBytes, printBytes),
  high: { ...numberColumn('high', row => row.queueBytesHighest, printBytes), total: () => '' },
  cap: { ...numberColumn('cap', row => row.queueBytesMax, printBytes), total: () => '' },
  accepted: numberColumn('accepted', row => row.fates.accepted),
  delivered: numberColumn('delivered', row => row.fates.delivered),
  ...Object.fromEntries(losses.map(loss => [loss, numberColumn(loss, row => row.fates[loss] ?? 0)])),
  refused: numberColumn('refused', row => sumOf(row.fates, refusals)),
  'in-flight': numberColumn('in flight', row => row.inFlight),
}

export function registerPeerList(peer: Command, io: Io): void {
  const command = peer
    .command('list')
    .helpGroup(wants.look)
    .description('every link: queue, fates, what is in flight')
    .option('--node <name>', 'the links of one node')
    .addOption(
      new Option('--sort <column>', 'names from a to z, numbers from the largest')
        .choices(Object.keys(columns))
        .default('node'),
    )
    .action(async (_own, command: Command) => {
      const options = optionsOf<{ readonly node?: string; readonly sort: string }>(command)
      const client = await AdminClient.connect(io, options)
      const path = options.node === undefined ? 'peers' : `peers/${encodeURIComponent(options.node)}`
      const document = await client.get<readonly PeerRow[]>('list peers', path, [])
      const rows = document.data.toSorted(compareBy(columns[options.sort]!))
      printAnswer(io, options, { ...document, data: rows }, rows => printPeers(rows, painter(io)))
    })
  examples(command, [
    ['wand peer list --sort queue', 'who is slow: the fullest queues first'],
    ['wand peer list --node dc1-chat1', 'as one node sees it'],
    ["wand peer list --json | jq '.data[] | select(.gap > 0)'", 'ledgers that do not balance'],
  ])
}

/** Up and since when, or why not and since when. */
export function linkCell(row: Pick<PeerRow, 'linked' | 'linkedForS' | 'closedReason' | 'closedAgoS'>): Cell {
  if (row.linked) return `up ${printDuration((row.linkedForS ?? 0) * 1_000)}`
  const why =
    row.closedReason === null
      ? 'never linked'
      : `${row.closedReason} ${printDuration((row.closedAgoS ?? 0) * 1_000)} ago`
  return { text: `down: ${why}`, look: 'red' }
}

/** `0.4ms`, or `-` before it was measured. */
export function printRoundTrip(roundTripMs: number | null): string {
  return roundTripMs === null ? '-' : `${roundTripMs.toFixed(1)}ms`
}

function printPeers(rows: readonly PeerRow[], paint: Paint): string {
  const all = Object.values(columns)
  const totals = all.map(({ total }): Cell => ({ text: total(rows), look: 'bold' }))
  const table = printTable(
    all.map(({ column }) => column),
    [...rows.map(row => all.map(({ cell }) => cell(row))), totals],
    paint,
  )
  return table + printGaps(rows, paint)
}

/** The alarms: nothing when every ledger balances, and agrees with the other end's. */
function printGaps(rows: readonly PeerRow[], paint: Paint): string {
  const line = (text: string) => `${paint('red', text)}\n`
  return rows
    .flatMap(({ node, peer, gap, alarms }) => [
      gap > 0 ? line(`ledger gap: ${node} to ${peer}: ${printCount(gap)} frames`) : '',
      alarms > 0 ? line(`ledger alarms: ${node} with ${peer}: ${printCount(alarms)}`) : '',
    ])
    .join('')
}

function nameColumn(title: string, name: (row: PeerRow) => string): PeerColumn {
  return { column: title, cell: name, total: () => '', order: name }
}

function numberColumn(title: string, number: (row: PeerRow) => number, print = printCount): PeerColumn {
  return {
    column: right(title),
    cell: row => print(number(row)),
    total: rows => print(rows.reduce((sum, row) => sum + number(row), 0)),
    order: row => -number(row),
  }
}

function compareBy({ order }: PeerColumn): (one: PeerRow, other: PeerRow) => number {
  return (one, other) => {
    const [left, right] = [order(one), order(other)]
    return typeof left === 'number' && typeof right === 'number'
      ? left - right
      : collator.compare(String(left), String(right))
  }
}

/** `dc1-chat2` before `dc1-chat10`. */
const collator = new Intl.Collator('en', { numeric: true })
