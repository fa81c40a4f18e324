/**
 * The nodes as an upgrade sees them: asked through the admin endpoint, put into what the roll decides by.
 *
 * One question says how every node is and whom it does not see; what an island's partners have not confirmed, and what a
 * drain still waits for, are asked of the few nodes that matter now. A node that does not answer is silent; when the one
 * that was asked does not answer either, that is no look, and says nothing of anybody.
 */
import type { Status } from '../admin/status.ts'
import { AdminClient } from '../cli/client.ts'
import { printLeft } from '../cli/commands/node-drain.ts'
import { CliError } from '../cli/exit-code.ts'
import type { Io } from '../cli/io.ts'
import type { GlobalOptions } from '../cli/options.ts'
import type { NodeDetail } from '../report.ts'
import type { NodeLook, NoLook } from './roll.ts'

/** Changes that a partner may be behind, while people talk; with more it is not in sync. */
const UNCONFIRMED_MAX = 100

/**
 * Looks at all nodes that `names` lists.
 *
 * @param closely those whose islands and drains matter now
 */
export async function lookAt(
  io: Io,
  options: GlobalOptions,
  names: readonly string[],
  closely: readonly string[],
): Promise<ReadonlyMap<string, NodeLook> | NoLook> {
  try {
    const client = await AdminClient.connect(io, options)
    const [status, ...details] = await Promise.all([
      client.get<Status>('look at the nodes', 'status'),
      ...closely.map(name => detailOf(client, name)),
    ])
    const { data, missing } = status
    if (data === null) return { noLook: missing.map(({ node, reason }) => `${node}: ${reason}`).join(', ') }
    const byName = new Map(
      details.flatMap(detail => (detail === undefined ? [] : [[detail.node, detail] as const])),
    )
    const reasons = new Map(missing.map(({ node, reason }) => [node, reason]))
    return new Map(names.map(name => [name, looksOf(name, data, byName.get(name), reasons.get(name))]))
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

function looksOf(
  name: string,
  status: Status,
  detail: NodeDetail | undefined,
  reason: string | undefined,
): NodeLook {
  const row = status.nodes.find(({ node }) => node === name)
  const unseenBy = status.links.down.filter(({ peer }) => peer === name).map(({ node }) => node)
  if (row === undefined) {
    const unknown = { creation: 0, version: '', inSync: true, left: '', peers: 0 }
    return { state: 'silent', ...unknown, unseenBy, detail: reason }
  }
  const left = detail?.left ?? {}
  return {
    state: row.state as NodeLook['state'],
    creation: row.creation,
    version: row.version,
    inSync: (left.unconfirmed ?? 0) <= UNCONFIRMED_MAX,
    left: row.state === 'draining' ? printLeft(left) : '',
    peers: row.peers,
    unseenBy,
    detail: status.troubles.find(({ node }) => node === name)?.trouble,
  }
}
