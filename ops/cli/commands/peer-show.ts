/** `wand peer show NODE PEER`: everything that one node knows about one peer, and whether its ledger balances. */
import type { Command } from 'commander'
import { losses, overLanes, refusals } from '../../fates.ts'
import { lanes } from '../../observed-node.ts'
import type { ByLane, ClosedLinkReport, PeerDetail, PeerReport } from '../../peer-report.ts'
import { printRowTime } from '../../row.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { optionsOf } from '../options.ts'
import { type Cell, type Paint, printable, printBytes, printCount, printTable, right } from '../table.ts'
import { linkCell, printRoundTrip } from './peer-list.ts'

export function registerPeerShow(peer: Command, io: Io): void {
  const command = peer
    .command('show')
    .argument('<node>', 'name of the node that is asked')
    .argument('<peer>', 'name of the node at the other end')
    .helpGroup(wants.look)
    .description('one link: queue by lane, fates, why it closed')
    .action(async (node: string, peer: string, _own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      const path = `peers/${encodeURIComponent(node)}/${encodeURIComponent(peer)}`
      const document = await client.get<PeerDetail | null>('show peer', path, null)
      printAnswer(io, options, document, detail => (detail === null ? '' : printDetail(detail, painter(io))))
    })
  examples(command, [
    ['wand peer show dc1-chat1 dc2-chat1', 'what became of what was sent to it'],
    ["wand peer show dc1-chat1 dc2-chat1 --json | jq '.data.peer.gap'", 'does the ledger balance?'],
  ])
}

function printDetail({ node, peer, closedLinks }: PeerDetail, paint: Paint): string {
  const link = linkCell(peer)
  const state = typeof link === 'string' ? link : paint(link.look, printable(link.text))
  const place = `in ${peer.datacenter || '-'}, cluster ${peer.cluster || '-'}`
  const sections = [
    `${paint('bold', `${node} to ${peer.node}`)}: ${state}, ${place}\n` +
      `version ${printable(peer.version) || '-'}, creation ${peer.creation || '-'}, ` +
      `round trip ${printRoundTrip(peer.roundTripMs)}\n` +
      `${printAlarms(peer, paint)}, on unknown channels ${printCount(peer.strays ?? 0)}\n`,
    `${paint('bold', 'queue')}\n${printQueue(peer, paint)}`,
    `${paint('bold', 'fates, in frames')}\n${printFates(peer, paint)}`,
    printDiversions(peer, paint),
    closedLinks.length === 0
      ? ''
      : `${paint('bold', 'closed links, newest first')}\n${printClosedLinks(closedLinks, paint)}`,
  ]
  return sections.filter(text => text !== '').join('\n')
}

/** How often this ledger and the other end's could not both be right. A node of another version may not count. */
function printAlarms({ alarms = 0 }: Partial<PeerReport>, paint: Paint): string {
  const text = `ledger alarms ${printCount(alarms)}`
  return alarms === 0 ? text : paint('red', text)
}

/** Nothing where operators have teed and diverted nothing. */
function printDiversions({ diversions }: Partial<PeerReport>, paint: Paint): string {
  const counts = Object.entries(diversions ?? {})
  if (counts.every(([, count]) => count === 0)) return ''
  const table = printTable(
    counts.map(([way]) => right(titleOf(way))),
    [counts.map(([, count]) => printCount(count))],
    paint,
  )
  return `${paint('bold', 'diversions, in messages')}\n${table}`
}

function printQueue(peer: PeerReport, paint: Paint): string {
  const queued = sum(peer.queueBytesByLane)
  return printTable(
    [...lanes.map(right), right('in stream'), right('all'), right('high'), right('cap')],
    [
      [
        ...lanes.map(lane => printBytes(peer.queueBytesByLane[lane])),
        printBytes(peer.queueBytes - queued),
        printBytes(peer.queueBytes),
        printBytes(peer.queueBytesHighest),
        printBytes(peer.queueBytesMax),
      ],
    ],
    paint,
  )
}

/** The balance first, as it is reckoned, then what stands beside it. */
function printFates(peer: PeerReport, paint: Paint): string {
  const totals = overLanes(peer.ledger)
  const line = (title: string, fate: keyof typeof totals): Cell[] => [
    title,
    ...lanes.map(lane => printCount(peer.ledger[lane][fate] ?? 0)),
    printCount(totals[fate]),
  ]
  return printTable(
    ['', ...lanes.map(right), right('all')],
    [
      line('accepted', 'accepted'),
      line('= delivered', 'delivered'),
      ...losses.map(loss => line(`+ ${titleOf(loss)}`, loss)),
      ['+ in flight', ...lanes.map(lane => printCount(peer.inFlight[lane])), printCount(sum(peer.inFlight))],
      [
        'balance',
        ...lanes.map(lane => balanceCell(peer.gap[lane])),
        // Gaps of two lanes never make up for each other.
        balanceCell(lanes.reduce((total, lane) => total + Math.abs(peer.gap[lane]), 0)),
      ],
      ...refusals.map(refusal => line(titleOf(refusal), refusal)),
      line('written', 'written'),
      line('received', 'received'),
      line('overflowed', 'overflowed'),
    ],
    paint,
  )
}

function balanceCell(gap: number): Cell {
  return gap === 0 ? 'balanced' : { text: `gap ${printCount(gap)}`, look: 'red' }
}

/** `refusedTooBig` as people read it. */
function titleOf(fate: string): string {
  return fate.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
}

function printClosedLinks(links: readonly ClosedLinkReport[], paint: Paint): string {
  return printTable(
    ['time', 'address', 'reason', right('times'), 'detail'],
    links.map(link => [printRowTime(link.atMs), link.address, link.reason, String(link.times), link.detail]),
    paint,
  )
}

function sum(counts: ByLane): number {
  return lanes.reduce((total, lane) => total + counts[lane], 0)
}
