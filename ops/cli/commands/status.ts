/** `wand status`: the meta-cluster at a glance. */
import type { Command } from 'commander'
import type { Status, StatusRow } from '../../admin/status.ts'
import { printAnswer } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { printDuration } from '../duration.ts'
import { examples, wants } from '../help.ts'
import { type Io, type Look, painter } from '../io.ts'
import { optionsOf } from '../options.ts'
import { type Cell, type Paint, printable, printCount, printTable, right } from '../table.ts'

/** How many links that are down are listed. */
const DOWN_MAX = 20

export function registerStatus(program: Command, io: Io): void {
  const command = program
    .command('status')
    .helpGroup(wants.look)
    .description('the meta-cluster at a glance')
    .action(async (_own, command: Command) => {
      const options = optionsOf(command)
      const client = await AdminClient.connect(io, options)
      printAnswer(io, options, await client.get<Status>('status', 'status'), status =>
        status === null ? '' : printStatus(status, painter(io)),
      )
    })
  examples(command, [
    ['wand status', 'nodes, links, groups and versions'],
    ["wand status --json | jq '.data.links.down'", 'for a script'],
  ])
}

/** How a node's state looks. */
export function stateCell(state: string): Cell {
  const look: Look = state === 'ready' ? 'green' : state === 'failed' ? 'red' : 'yellow'
  return { text: state, look }
}

function printStatus(status: Status, paint: Paint): string {
  const answered = status.nodes.length
  const lines = [
    `${paint('bold', status.id)}: ${answered} of ${status.configured} nodes, ${printCounts(status.states)}`,
    `links ${status.links.up} of ${status.links.configured}, groups ${printCount(status.groups)}, phones ${printCount(status.connections)}, ${printVersions(status.versions)}`,
    '',
    printTable(
      ['datacenter', 'cluster', 'node', 'roles', 'state', right('links'), right('phones'), right('up')],
      withoutRepeats(status.nodes),
      paint,
    ).trimEnd(),
    ...printDown(status),
    ...status.troubles.map(({ node, trouble }) => `trouble at ${node}: ${printable(trouble)}`),
  ]
  return `${lines.join('\n')}\n`
}

/** Datacenter and cluster stand where they begin. */
function withoutRepeats(nodes: readonly StatusRow[]): Cell[][] {
  return nodes.map((node, at) => {
    const before = nodes[at - 1]
    const sameDatacenter = before?.datacenter === node.datacenter
    const sameCluster = sameDatacenter && before?.cluster === node.cluster
    return [
      sameDatacenter ? '' : node.datacenter,
      sameCluster ? '' : node.cluster,
      node.node,
      node.roles.join(','),
      stateCell(node.state),
      `${node.linked}/${node.peers}`,
      printCount(node.connections),
      printDuration(node.uptimeS * 1_000),
    ]
  })
}

/** Pairs of nodes without a link, each once. Links to nodes that did not answer say nothing new. */
function printDown({ links, nodes }: Status): string[] {
  const answered = new Set(nodes.map(({ node }) => node))
  const pairs = new Map<string, Set<string>>()
  for (const { node, peer, reason } of links.down) {
    if (!answered.has(peer)) continue
    const pair = [node, peer].sort().join(' - ')
    pairs.set(pair, (pairs.get(pair) ?? new Set()).add(reason))
  }
  if (pairs.size === 0) return []
  const lines = [...pairs].map(([pair, reasons]) => `  ${pair}: ${printable([...reasons].join(', '))}`)
  const more = lines.splice(DOWN_MAX)
  if (more.length > 0) lines.push(`  and ${more.length} more`)
  return ['', 'no link between:', ...lines]
}

function printCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')
}

function printVersions(versions: Readonly<Record<string, number>>): string {
  const names = Object.keys(versions).map(printable)
  if (names.length <= 1) return `version ${names[0] ?? 'unknown'}`
  return `${names.length} versions: ${Object.entries(versions)
    .map(([version, count]) => `${printable(version)} on ${count}`)
    .join(', ')}`
}
