/** `wand node show NAME`: everything about one node. */
import type { Command } from 'commander'
import { overLanes, refusals, sumOf } from '../../fates.ts'
import type { PeerReport } from '../../peer-report.ts'
import type { Figures, NodeDetail } from '../../report.ts'
import { printRow, printRowHeader, printRowTime, rowOf } from '../../row.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { printDuration } from '../duration.ts'
import { examples, wants } from '../help.ts'
import { type Io, painter } from '../io.ts'
import { optionsOf } from '../options.ts'
import { type Paint, printable, printBytes, printCount, printTable, right } from '../table.ts'

export function registerNodeShow(node: Command, io: Io): void {
  const command = node
    .command('show')
    .argument('<name>', 'name of the node')
    .helpGroup(wants.look)
    .description('one node: its peers, queues, closed links, services')
    .action(async (name: string, _own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      const document = await client.get<NodeDetail | null>(
        'show node',
        `nodes/${encodeURIComponent(name)}`,
        null,
      )
      printAnswer(io, options, document, detail => (detail === null ? '' : printDetail(detail, painter(io))))
    })
  examples(command, [
    ['wand node show dc1-chat1', 'how it and its links fare'],
    ["wand node show dc1-chat1 --json | jq '.data.peers[] | {node, queueBytes}'", 'for a script'],
  ])
}

function printDetail(detail: NodeDetail, paint: Paint): string {
  const { node, state, datacenter, cluster, roles, version, creation, uptimeS } = detail
  const sections = [
    `${paint('bold', node)}: ${state}, in ${datacenter}, cluster ${cluster}, roles ${roles.join(', ') || 'none'}\n` +
      `version ${printable(version)}, creation ${creation}, up ${printDuration(uptimeS * 1_000)}, ` +
      `phones ${printCount(detail.connections)}, processes ${printCount(detail.processes)}\n` +
      (detail.trouble === null ? '' : `trouble: ${printable(detail.trouble)}\n`) +
      (detail.alarms > 0 ? `${paint('red', `ledger alarms ${printCount(detail.alarms)}`)}\n` : ''),
    `${printRowHeader('since start', 'time').join('\n')}\n${printRow(rowOf(undefined, detail.sample), printRowTime(detail.sample.wallMs))}\n`,
    section('peers', printPeers(detail.peers, paint), paint),
    section('closed links, newest first', printClosedLinks(detail, paint), paint),
    ...Object.entries({
      ...detail.services,
      router: detail.router,
      registry: detail.registry,
      // A node of another version may not count them.
      diversions: detail.diversions ?? {},
      memory: detail.memory,
    }).map(([name, figures]) => section(name, printFigures(figures, name === 'memory'), paint)),
  ]
  return sections.filter(text => text !== '').join('\n')
}

function section(title: string, text: string, paint: Paint): string {
  return text === '' ? '' : `${paint('bold', title)}\n${text}`
}

function printPeers(peers: readonly PeerReport[], paint: Paint): string {
  if (peers.length === 0) return ''
  return printTable(
    [
      'node',
      'cluster',
      'link',
      'version',
      right('rtt'),
      right('queue'),
      right('frames'),
      right('accepted'),
      right('delivered'),
      right('lost'),
      right('refused'),
      right('received'),
    ],
    peers.map(peer => {
      const counts = overLanes(peer.ledger)
      return [
        peer.node,
        peer.cluster,
        peer.linked ? `up ${printDuration((peer.linkedForS ?? 0) * 1_000)}` : { text: 'down', look: 'red' },
        printable(peer.version),
        peer.roundTripMs === null ? '-' : `${peer.roundTripMs.toFixed(1)}ms`,
        printBytes(peer.queueBytes),
        printCount(peer.queueFrames),
        printCount(counts.accepted),
        printCount(counts.delivered),
        printCount(counts.lost),
        printCount(sumOf(counts, refusals)),
        printCount(counts.received),
      ]
    }),
    paint,
  )
}

function printClosedLinks({ closedLinks }: NodeDetail, paint: Paint): string {
  if (closedLinks.length === 0) return ''
  return printTable(
    ['time', 'node', 'address', 'reason', right('times'), 'detail'],
    closedLinks.map(link => [
      printRowTime(link.atMs),
      link.node || '-',
      link.address,
      link.reason,
      String(link.times),
      link.detail,
    ]),
    paint,
  )
}

/** The figures that are not 0, by name, as many columns as lines of 100 characters take. */
function printFigures(figures: Figures, areBytes: boolean): string {
  const nonZero = Object.entries(figures).filter(([, value]) => value !== 0)
  const cells = nonZero.map(
    ([name, value]) => `${printable(name)} ${areBytes ? printBytes(value) : printCount(value)}`,
  )
  if (cells.length === 0) return ''
  const width = Math.max(...cells.map(cell => cell.length)) + 3
  const perLine = Math.max(1, Math.floor(100 / width))
  let text = ''
  for (let at = 0; at < cells.length; at += perLine) {
    const line = cells.slice(at, at + perLine).map(cell => cell.padEnd(width))
    text += `${line.join('').trimEnd()}\n`
  }
  return text
}
