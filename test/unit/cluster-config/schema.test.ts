import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type ClusterConfigInput,
  clusterConfig,
  embeddedConfig,
  embeddedFile,
  parseConfig,
  toJsonSchema,
} from '../../../cluster-config/index.ts'

const twoNodes = { id: 'demo', nodes: { a: { mesh: '127.0.0.1:7701' }, b: { mesh: '127.0.0.1:7702' } } }

/** What is wrong with a configuration, a line each; fails the test when nothing is. */
function problemsOf(value: unknown): string[] {
  try {
    clusterConfig(value as ClusterConfigInput, 'config')
  } catch (error) {
    return (error as Error).message.split('\n').map(line => line.replace('config: ', ''))
  }
  throw new Error('no problem was found')
}

/** An island configuration that is right, to be made wrong in one place. */
function withIslands(islands: unknown, roles: string[] = ['mailbox']) {
  const nodes = Object.fromEntries(
    ['m1', 'm2', 'm3'].map((name, index) => [name, { mesh: `h:${7700 + index}`, roles }]),
  )
  return { id: 'demo', nodes, services: { mailbox: { islands } } }
}

describe('a configuration of three lines', () => {
  test('is complete', () => {
    expect(clusterConfig(twoNodes)).toEqual({
      id: 'demo',
      timing: 'lan',
      transport: { checksums: true },
      talk: [],
      nodes: {
        a: { datacenter: 'dc1', cluster: 'main', roles: [], mesh: '127.0.0.1:7701' },
        b: { datacenter: 'dc1', cluster: 'main', roles: [], mesh: '127.0.0.1:7702' },
      },
      services: {},
    })
  })

  test('cannot be changed afterwards, at any depth', () => {
    const config = clusterConfig(twoNodes)
    expect(() => Object.assign(config.nodes.a!, { mesh: 'elsewhere:1' })).toThrow(TypeError)
    expect(() => (config.nodes.a!.roles as string[]).push('chat')).toThrow(TypeError)
  })

  test('passes again unchanged after it has passed', () => {
    for (const config of [clusterConfig(twoNodes), embeddedConfig()])
      expect(clusterConfig(config)).toEqual(config)
  })
})

describe('services', () => {
  test('have defaults', () => {
    const nodes = { m: { mesh: 'h:1', roles: ['mailbox', 'accounts'] as const } }
    const islands = { only: ['m'] }
    const config = clusterConfig({
      id: 'x',
      nodes,
      services: { mailbox: { islands }, accounts: { islands } },
    })
    expect(config.services.mailbox).toEqual({
      partitions: 16,
      published: true,
      islands,
      acknowledge: 'replicated',
    })
    expect(config.services.accounts).toEqual({ partitions: 4, published: true, islands, pin: 'log' })
  })

  test('take from 1 to 4096 partitions', () => {
    const withPartitions = (partitions: unknown) => {
      return {
        ...withIslands({ i: ['m1', 'm2'], j: ['m3'] }),
        ...{ services: { mailbox: { partitions, islands: { i: ['m1', 'm2'], j: ['m3'] } } } },
      }
    }
    for (const partitions of [1, 4096]) clusterConfig(withPartitions(partitions) as ClusterConfigInput)
    expect(problemsOf(withPartitions(0))).toEqual(['services.mailbox.partitions: not 1 to 4096: 0'])
    expect(problemsOf(withPartitions(4097))).toEqual(['services.mailbox.partitions: not 1 to 4096: 4097'])
    expect(problemsOf(withPartitions(1.5))).toEqual(['services.mailbox.partitions: not a whole number: 1.5'])
    expect(problemsOf(withPartitions('8'))).toEqual(['services.mailbox.partitions: not a number: "8"'])
  })
})

describe('the placement of a service', () => {
  const islands = { i: ['m1', 'm2'], j: ['m3'] }
  const placed = (placement: object) => ({
    ...withIslands(islands),
    services: { mailbox: { islands, partitions: 4, ...placement } },
  })

  test('may weigh islands and put single partitions on one', () => {
    const placement = { weights: { i: 2.5 }, overrides: { '0': 'j', '3': 'i' } }
    const config = clusterConfig(placed(placement) as ClusterConfigInput)
    expect(config.services.mailbox).toMatchObject(placement)
    expect(clusterConfig(config)).toEqual(config)
  })

  test('takes numbers as keys, as YAML has them', () => {
    const text = [
      'id: demo',
      'nodes: { m1: { mesh: "h:1", roles: [mailbox] }, m2: { mesh: "h:2", roles: [mailbox] } }',
      'services: { mailbox: { partitions: 4, islands: { i: [m1], j: [m2] }, overrides: {3: j, 4: i} } }',
    ].join('\n')
    expect(() => parseConfig(text, 'config')).toThrow(
      'config:3:88: services.mailbox.overrides.4: no such partition: 4 of 4',
    )
    expect(parseConfig(text.replace(', 4: i', ''), 'config').services.mailbox!.overrides).toEqual({ 3: 'j' })
  })

  test.each<[object, string]>([
    [{ weights: { i: 0 } }, 'services.mailbox.weights.i: not 0.1 to 10: 0'],
    [{ weights: { i: 11 } }, 'services.mailbox.weights.i: not 0.1 to 10: 11'],
    [{ weights: { i: '1' } }, 'services.mailbox.weights.i: not a number: "1"'],
    [{ weights: { k: 1 } }, 'services.mailbox.weights.k: no such island: "k"'],
    [{ weights: { constructor: 1 } }, 'services.mailbox.weights.constructor: no such island: "constructor"'],
    [{ overrides: { '4': 'i' } }, 'services.mailbox.overrides.4: no such partition: 4 of 4'],
    [{ overrides: { '0': 'k' } }, 'services.mailbox.overrides.0: no such island: "k"'],
    [{ overrides: { '01': 'i' } }, 'services.mailbox.overrides.01: not a partition'],
    [{ overrides: { first: 'i' } }, 'services.mailbox.overrides.first: not a partition'],
  ])('%j: %s', (placement, problem) => {
    expect(problemsOf(placed(placement))).toEqual([problem])
  })
})

describe('a wrong value is named by its path', () => {
  test.each<[string, unknown, string]>([
    ['no id', { nodes: twoNodes.nodes }, 'id: missing'],
    ['no nodes', { id: 'x' }, 'nodes: missing'],
    ['an empty map of nodes', { id: 'x', nodes: {} }, 'nodes: no nodes'],
    ['a list', [], 'not a map: []'],
    ['nothing', null, 'not a map: null'],
    ['a node without mesh address', { id: 'x', nodes: { a: {} } }, 'nodes.a.mesh: missing'],
    [
      'a port without host',
      { id: 'x', nodes: { a: { mesh: ':7701' } } },
      'nodes.a.mesh: not host:port: ":7701"',
    ],
    ['a host without port', { id: 'x', nodes: { a: { mesh: 'h' } } }, 'nodes.a.mesh: not host:port: "h"'],
    ['a port that is none', { id: 'x', nodes: { a: { mesh: 'h:x' } } }, 'nodes.a.mesh: not host:port: "h:x"'],
    ['bare IPv6', { id: 'x', nodes: { a: { mesh: '::1:80' } } }, 'nodes.a.mesh: not host:port: "::1:80"'],
    [
      'a port too high',
      { id: 'x', nodes: { a: { mesh: 'h:65536' } } },
      'nodes.a.mesh: port above 65535: "h:65536"',
    ],
    [
      'port 0 for the mesh',
      { id: 'x', nodes: { a: { mesh: 'h:0' } } },
      'nodes.a.mesh: port 0, which no other node can dial: "h:0"',
    ],
    [
      'a role that does not exist',
      { id: 'x', nodes: { a: { mesh: 'h:1', roles: ['chat', 'cook'], phones: 'h:2' } } },
      'nodes.a.roles[1]: not one of chat, mailbox, accounts: "cook"',
    ],
    [
      'a role twice',
      { id: 'x', nodes: { a: { mesh: 'h:1', roles: ['chat', 'chat'], phones: 'h:2' } } },
      'nodes.a.roles[1]: given twice: "chat"',
    ],
    [
      'a chat node without phones',
      { id: 'x', nodes: { a: { mesh: 'h:1', roles: ['chat'] } } },
      'nodes.a.phones: missing: a chat node needs an address that phones dial',
    ],
    ['an unknown key', { ...twoNodes, node: {} }, 'node: unknown key'],
    [
      'an unknown key of a node',
      { id: 'x', nodes: { a: { mesh: 'h:1', port: 3 } } },
      'nodes.a.port: unknown key',
    ],
    ['an unknown service', { ...twoNodes, services: { presence: {} } }, 'services.presence: unknown key'],
    [
      'settings of a cluster',
      { ...twoNodes, clusters: { main: { size: 1 } } },
      'clusters.main.size: unknown key',
    ],
    [
      'a read buffer in kilobytes',
      { ...twoNodes, transport: { readBytes: 64 } },
      'transport.readBytes: not 4,096 to 4,194,304: 64',
    ],
    ['an unknown timing', { ...twoNodes, timing: 'fast' }, 'timing: not one of lan, wan, test: "fast"'],
    ['half a tls', { ...twoNodes, tls: { ca: 'a', certificate: 'b' } }, 'tls.key: missing'],
    [
      'a placeholder that nobody fills',
      { ...twoNodes, tls: { ca: 'a', certificate: '{name}.crt', key: 'c' } },
      'tls.certificate: not {node}: "{name}"',
    ],
    [
      'a key in the certificate’s file',
      { ...twoNodes, tls: { ca: 'a', certificate: 'b', key: 'b' } },
      'tls.key: already the file of tls.certificate: "b"',
    ],
    ['an empty secret file', { ...twoNodes, secretFile: '' }, 'secretFile: empty: ""'],
    ['half a pair', { ...twoNodes, talk: [['main']] }, 'talk[0]: not a pair of clusters: ["main"]'],
    [
      'talk with a stranger',
      { ...twoNodes, talk: [['main', 'other']] },
      'talk[0][1]: no such cluster: "other"',
    ],
    [
      'talk with oneself',
      { ...twoNodes, talk: [['main', 'main']] },
      'talk[0]: a cluster always links with itself: "main"',
    ],
    [
      'a cluster not listed',
      { ...twoNodes, clusters: { main: {} }, nodes: { a: { mesh: 'h:1', cluster: 'far' } } },
      'nodes.a.cluster: not one of clusters: "far"',
    ],
  ])('%s', (_, value, problem) => {
    expect(problemsOf(value)).toEqual([problem])
  })

  test.each(['A', '1a', '-a', 'a.b', 'a_b', '', 'a'.repeat(64), 'é', 'a\nb'])('no name: %j', name => {
    const message = 'not a name (a to z, 0 to 9 and -, from a letter, 63 at most)'
    expect(problemsOf({ ...twoNodes, id: name })[0]).toContain(`id: ${message}`)
    expect(problemsOf({ id: 'x', nodes: { [name]: { mesh: 'h:1' } } })[0]).toContain(message)
  })

  test.each(['a', 'a1', 'dc1-chat1', 'a'.repeat(63), 'constructor'])('a name: %j', name => {
    expect(Object.keys(clusterConfig({ id: name, nodes: { [name]: { mesh: 'h:1' } } }).nodes)).toEqual([name])
  })

  test('every value that is wrong by itself is told at once', () => {
    expect(problemsOf({ id: 'X', nodes: { a: { mesh: 'h' }, b: { mesh: 'h:1', role: [] } } })).toHaveLength(3)
  })

  test('a problem is one line, whatever the value holds', () => {
    expect(problemsOf({ ...twoNodes, timing: 'a\nb', 'k\ney': 1 })).toHaveLength(2)
  })

  test('a long value is cut', () => {
    expect(problemsOf({ ...twoNodes, id: 'A'.repeat(1000) })[0]!.length).toBeLessThan(160)
  })
})

describe('addresses', () => {
  test.each(['127.0.0.1:1', 'host:65535', 'a.b-c.example:80', '[::1]:7701', '[fe80::1]:1'])(
    '%s is one',
    mesh => {
      clusterConfig({ id: 'x', nodes: { a: { mesh } } })
    },
  )

  test('no two nodes share one', () => {
    const nodes = { a: { mesh: 'Host:1' }, b: { mesh: 'h:2', http: 'host:1' } }
    expect(problemsOf({ id: 'x', nodes })).toEqual([
      'nodes.b.http: already the address of nodes.a.mesh: "host:1"',
    ])
  })

  test('one node does not use one twice', () => {
    const nodes = { a: { mesh: 'h:1', phones: 'h:1' } }
    expect(problemsOf({ id: 'x', nodes })).toEqual([
      'nodes.a.phones: already the address of nodes.a.mesh: "h:1"',
    ])
  })

  test('any number of nodes take any free port for phones and HTTP', () => {
    clusterConfig({
      id: 'x',
      nodes: { a: { mesh: 'h:1', http: 'h:0', phones: 'h:0' }, b: { mesh: 'h:2', http: 'h:0' } },
    })
  })
})

describe('islands', () => {
  test.each<[string, unknown, string[]]>([
    [
      'no island',
      {},
      [
        'services.mailbox.islands: no islands',
        'nodes.m1.roles: role mailbox, but no island of services.mailbox has this node',
      ],
    ],
    ['an island without nodes', { i: [] }, ['services.mailbox.islands.i: an island has 1 or 2 nodes: []']],
    [
      'an island of three',
      { i: ['m1', 'm2', 'm3'] },
      ['services.mailbox.islands.i: an island has 1 or 2 nodes: ["m1","m2","m3"]'],
    ],
    [
      'a node that does not exist',
      { i: ['m1', 'm9'], j: ['m2', 'm3'] },
      ['services.mailbox.islands.i[1]: no such node: "m9"'],
    ],
    [
      'partners that are the same',
      { i: ['m1', 'm1'], j: ['m2', 'm3'] },
      ['services.mailbox.islands.i[1]: given twice: "m1"'],
    ],
    [
      'a node on two islands',
      { i: ['m1', 'm2'], j: ['m3', 'm2'] },
      ['services.mailbox.islands.j[1]: already on island i: "m2"'],
    ],
    [
      'a mailbox node on none',
      { i: ['m1', 'm2'] },
      ['nodes.m3.roles: role mailbox, but no island of services.mailbox has this node'],
    ],
  ])('%s', (_, islands, problems) => {
    expect(problemsOf(withIslands(islands))).toEqual(expect.arrayContaining(problems))
  })

  test('a node without the role', () => {
    const problems = problemsOf(withIslands({ i: ['m1', 'm2'], j: ['m3'] }, []))
    expect(problems[0]).toBe('services.mailbox.islands.i[0]: does not have role mailbox: "m1"')
  })

  test('a role without its service', () => {
    const nodes = { a: { mesh: 'h:1', roles: ['accounts'] } }
    expect(problemsOf({ id: 'x', nodes })).toEqual([
      'nodes.a.roles: role accounts, but services.accounts is missing',
    ])
  })

  test('a node may be on an island of each service', () => {
    const nodes = { a: { mesh: 'h:1', roles: ['mailbox', 'accounts'] as const } }
    const islands = { only: ['a'] }
    clusterConfig({ id: 'x', nodes, services: { mailbox: { islands }, accounts: { islands } } })
  })
})

describe('the embedded configuration', () => {
  test('has two datacenters, three clusters that all talk, and ten nodes', () => {
    const config = embeddedConfig()
    expect(Object.keys(config.nodes)).toHaveLength(10)
    expect(new Set(Object.values(config.nodes).map(node => node.datacenter))).toEqual(new Set(['dc1', 'dc2']))
    expect(Object.keys(config.clusters!)).toEqual(['dc1-main', 'dc2-main', 'global'])
    expect(config.talk).toHaveLength(3)
  })

  test('is a file that parses by itself', () => {
    expect(parseConfig(readFileSync(embeddedFile, 'utf8'), 'default.yaml')).toEqual(embeddedConfig())
  })
})

test('schema.json is current (if not: see cluster-config/README.md for how to write it anew)', () => {
  const kept = readFileSync(new URL('../../../cluster-config/schema.json', import.meta.url), 'utf8')
  expect(JSON.parse(kept)).toEqual(toJsonSchema())
})
