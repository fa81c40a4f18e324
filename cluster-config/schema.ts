/**
 * The shape of a meta-cluster's configuration, written once: the types, the defaults, the checks of single values and
 * the JSON Schema for editors all come from here. What one value must have to do with another is in checks.ts.
 *
 * Invariant: every object is strict (an unknown key is an error, for a misspelt key is a setting that nobody obeys), and
 * whatever has passed once passes again unchanged.
 */
import { z } from 'zod'
import { addressPattern, parseAddress } from './address.ts'

/** What a node can do: serve phones, keep users' mailboxes, know the users. */
export const roles = ['chat', 'mailbox', 'accounts'] as const

/** One of {@link roles}. */
export type Role = (typeof roles)[number]

/** The services with partitions and islands; each is served by the nodes of the role of the same name. */
export const services = ['mailbox', 'accounts'] as const

/** One of {@link services}. */
export type Service = (typeof services)[number]

/** Names of meta-clusters, clusters, datacenters, nodes and islands: they become parts of pids, paths and metrics. */
export const namePattern = /^[a-z][a-z0-9-]{0,62}$/

const name = z.string().regex(namePattern, 'not a name (a to z, 0 to 9 and -, from a letter, 63 at most)')

const address = z
  .string()
  .regex(addressPattern, { error: 'not host:port', abort: true })
  .refine(text => parseAddress(text) !== undefined, 'port above 65535')

const node = z.strictObject({
  datacenter: name.default('dc1').describe('The place where the node stands.'),
  cluster: name.default('main').describe('The cluster that it belongs to; its nodes form a full mesh.'),
  roles: z.array(z.enum(roles)).default([]).describe('What the node does beside being a member of the mesh.'),
  mesh: address.describe('Where it listens for the other nodes, and where they dial it; host:port.'),
  phones: address.optional().describe('Where a chat node listens for phones; port 0 is any free one.'),
  http: address.optional().describe('Where it serves metrics and health; port 0 is any free one.'),
})

const islands = z
  .record(name, z.array(name).min(1, 'an island has 1 or 2 nodes').max(2, 'an island has 1 or 2 nodes'))
  .describe(
    'Island name to its one or two nodes. Partitions are placed by island name: a node can be replaced, a name not.',
  )

const partitions = (count: number) =>
  z
    .int()
    .min(1, 'not 1 to 4096')
    .max(4096, 'not 1 to 4096')
    .default(count)
    .describe(
      'How many parts the keys are divided into, 1 to 4096. The same everywhere; changing it moves keys.',
    )

const weights = z
  .record(name, z.number().min(0.1, 'not 0.1 to 10').max(10, 'not 0.1 to 10'))
  .optional()
  .describe(
    'Island name to its share of the partitions against the others, 0.1 to 10; 1 for an island that is not named. Changing it moves partitions.',
  )

const overrides = z
  .record(z.string().regex(/^(0|[1-9]\d{0,3})$/, 'not a partition'), name)
  .optional()
  .describe(
    'Partition to the island that holds it, whatever the placement would be; the other partitions stay where they are.',
  )

const published = z
  .boolean()
  .default(true)
  .describe('Whether clusters that this one talks with see the members, and so can send to them in one hop.')

const mailbox = z.strictObject({
  partitions: partitions(16),
  published,
  islands,
  weights,
  overrides,
  acknowledge: z
    .enum(['replicated', 'durable'])
    .default('replicated')
    .describe(
      'When the sender is told: both nodes of the island hold the message, or they also have it on disk.',
    ),
})

const accounts = z.strictObject({
  partitions: partitions(4),
  published,
  islands,
  weights,
  overrides,
  pin: z
    .enum(['reply', 'log'])
    .default('log')
    .describe(
      'Where a registration PIN goes: to the log, or (only for demonstrations) straight back to who asked.',
    ),
})

const file = (what: string) =>
  z.string().min(1, 'empty').describe(`${what}; relative to this file, {node} stands for the node's name.`)

const tls = z.strictObject({
  ca: file('The certificates of the private authority, or of two while one follows the other, PEM'),
  certificate: file('What a node shows: a certificate with its name, issued by the authority, PEM'),
  key: file('The key of that certificate, PEM, for nobody else to read'),
})

const KiB = 1024
const MiB = 1024 * KiB

const transport = z.strictObject({
  readBytes: z
    .int()
    .min(4 * KiB, 'not 4,096 to 4,194,304')
    .max(4 * MiB, 'not 4,096 to 4,194,304')
    .optional()
    .describe('Most bytes that one read of a TCP link takes, 4,096 to 4,194,304; 65,536 left out.'),
  queueBytesMax: z
    .int()
    .min(4 * MiB, 'not 4 MiB to 1 GiB')
    .max(1024 * MiB, 'not 4 MiB to 1 GiB')
    .optional()
    .describe(
      'One peer’s queue in bytes, 4 MiB to 1 GiB; left out, what `timing` says: 32 MiB in a datacenter.',
    ),
  checksums: z
    .boolean()
    .default(true)
    .describe(
      'Whether what is damaged under way on a plain TCP link ends the link instead of being delivered.',
    ),
})

const cluster = z.strictObject({})

/** The whole document. Cross checks follow in checks.ts; use `clusterConfig` or `parseConfig` to have both. */
export const shape = z.strictObject({
  id: name.describe('Name of the meta-cluster; nodes with another one are not let in.'),
  secretFile: z
    .string()
    .min(1, 'empty')
    .optional()
    .describe('File with the secret that nodes prove to each other; relative to this file.'),
  tls: tls
    .optional()
    .describe('Nodes link over TLS 1.3 and prove their names by certificates; left out, over plain TCP.'),
  timing: z
    .enum(['lan', 'wan', 'test'])
    .default('lan')
    .describe(
      'Preset of heartbeats, time limits and back-off: within a datacenter, between them, or for tests.',
    ),
  transport: transport.prefault({}).describe('Sizes of the links between nodes, in bytes.'),
  clusters: z
    .record(
      name,
      cluster.nullable().transform(value => value ?? {}),
    )
    .optional()
    .describe(
      'The clusters by name. Left out, they are those that nodes name; given, every node must name one of them.',
    ),
  talk: z
    .array(z.tuple([name, name], 'not a pair of clusters'))
    .default([])
    .describe(
      'Pairs of clusters whose nodes link with each other, beside the full mesh inside each cluster.',
    ),
  nodes: z.record(name, node).describe('Every node by name.'),
  services: z
    .strictObject({ mailbox: mailbox.optional(), accounts: accounts.optional() })
    .prefault({})
    .describe('The services with partitions; one for each role that some node has.'),
})

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T

/** A complete, checked configuration with its defaults filled in; frozen through and through. */
export type ClusterConfig = DeepReadonly<z.output<typeof shape>>

/** What one may write: as {@link ClusterConfig}, but what has a default may be left out. */
export type ClusterConfigInput = DeepReadonly<z.input<typeof shape>>

/** One node of a {@link ClusterConfig}. */
export type NodeConfig = ClusterConfig['nodes'][string]

/** What both services have in common. */
export interface ServiceConfig {
  readonly partitions: number
  readonly published: boolean
  readonly islands: { readonly [island: string]: readonly string[] }
  readonly weights?: { readonly [island: string]: number } | undefined
  readonly overrides?: { readonly [partition: string]: string } | undefined
}

/** The JSON Schema (draft 2020-12) of what one may write; schema.json is its kept form. */
export function toJsonSchema(): object {
  return { ...z.toJSONSchema(shape, { io: 'input' }), title: 'wandist meta-cluster' }
}
