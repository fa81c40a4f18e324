/**
 * The nodes as an upgrade sees them: asked through the admin endpoint, put into what the roll decides by.
 *
 * One question says how every node is and whom it does not see, one more who is in the islands' groups; what an island's
 * partners have not confirmed, and what a drain still waits for, are asked of the few nodes that matter now. A node that does not answer is silent; when the one
 * that was asked does not answer either, that is no look, and says nothing of anybody.
 */
import type { GroupRow } from '../admin/routes.ts'
import type { Status } from '../admin/status.ts'
import { AdminClient } from '../cli/client.ts'
import { printLeft } from '../cli/commands/node-drain.ts'
import { CliError } from '../cli/exit-code.ts'
import type { Io } from '../cli/io.ts'
import type { GlobalOptions } from '../cli/options.ts'
import type { NodeDetail } from '../report.ts'
import type { NodeLook, NoLook } from './roll.ts'
import type { Shape } from './shape.ts'

/** Changes that a partner may be behind, while people talk; with more it is not in sync. */
const UNCONFIRMED_MAX = 100

/**
 * Looks at all nodes of `shape`.
 *
 * @param closely those whose islands and drains matter now
 */
export async function lookAt(
  io: Io,
  options: GlobalOptions,
  { nodes, islandGroups }: Shape,
  closely: readonly string[],
): Promise<ReadonlyMap<string, NodeLook> | NoLook> {
  try {
    const client = await AdminClient.connect(io, options)
    const [status, groups, ...details] = await Promise.all([
      client.get<Status>('look at the nodes', 'status'),
      client.get<readonly GroupRow[]>('look at the groups', 'groups', []),
      ...closely.map(name => detailOf(client, name)),
    ])
    const { data, missing } = status
    if (data === null) return { noLook: missing.map(({ node, reason }) => `${node}: ${reason}`).join(', ') }
    const onIsland = new Set([...islandGroups.values()].flat())
    const onThinIsland = nodesOfThinIslands(islandGroups, groups.data)
    const reasons = new Map(missing.map(({ node, reason }) => [node, reason]))
    const looks = nodes.map(({ node }): readonly [string, NodeLook] => {
      const isClose = closely.includes(node)
      const detail = isClose ? details[closely.indexOf(node)] : undefined
      // Where nobody looks closely nothing is known, and nothing is decided by it.
      const inSync =
        !isClose || !onIsland.has(node) || (!onThinIsland.has(node) && isConfirmed(detail?.left.unconfirmed))
      return [node, looksOf(node, data, { detail, inSync, reason: reasons.get(node) })]
    })
    return new Map(looks)
  } catch (error) {
    // The node that was asked is just going, or none is there: the next look asks another one.
    if (!(error instanceof CliError)) throw error
    return { noLook: error.message }
  }
}

async function detailOf(client: AdminClient, name: string): Promise<NodeDetail | undefined> {
  const { data } = await client.get<NodeDetail>(`look at ${name}`, `nodes/${encodeURIComponent(name)}`)
  return data ?? undefined
}

/** The nodes of islands that have fewer members in some group than nodes. */
function nodesOfThinIslands(
  islandGroups: Shape['islandGroups'],
  rows: readonly GroupRow[],
): ReadonlySet<string> {
  const counts = new Map(rows.map(({ group, members }) => [group, members]))
  const thin = [...islandGroups].filter(([group, nodes]) => (counts.get(group) ?? 0) < nodes.length)
  return new Set(thin.flatMap(([, nodes]) => nodes))
}

function isConfirmed(unconfirmed: number | undefined): boolean {
  return unconfirmed !== undefined && unconfirmed <= UNCONFIRMED_MAX
}

function looksOf(
  name: string,
  status: Status,
  { detail, inSync, reason }: { detail: NodeDetail | undefined; inSync: boolean; reason: string | undefined },
): NodeLook {
  const row = status.nodes.find(({ node }) => node === name)
  const unseenBy = status.links.down.filter(({ peer }) => peer === name).map(({ node }) => node)
  if (row === undefined) {
    const unknown = { creation: 0, version: '', inSync, left: '', peers: 0 }
    return { state: 'silent', ...unknown, unseenBy, detail: reason }
  }
  return {
    state: row.state as NodeLook['state'],
    creation: row.creation,
    version: row.version,
    inSync,
    left: row.state === 'draining' ? printLeft(detail?.left ?? {}) : '',
    peers: row.peers,
    unseenBy,
    detail: status.troubles.find(({ node }) => node === name)?.trouble,
  }
}
