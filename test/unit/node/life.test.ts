/** A node's life when things happen at once: stops during starts, configurations that come early or do not fit. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type ClusterConfig,
  type ConfigSource,
  clusterConfig,
  fixedSource,
} from '../../../cluster-config/index.ts'
import { Node, type NodeState, startNode } from '../../../node/index.ts'
import { MemoryNetwork, realPorts, realTimers } from '../../../transport/index.ts'
import { smallConfig } from '../../support/in-process.ts'
import { until } from '../../support/meta-cluster.ts'

let network: MemoryNetwork
let dataDirectory: string

beforeEach(async () => {
  network = new MemoryNetwork({ timers: realTimers })
  dataDirectory = await mkdtemp(join(tmpdir(), 'wandist-life-'))
})
afterEach(async () => {
  await rm(dataDirectory, { recursive: true, force: true })
})

/** A source that can be made to change, and tells whether it was stopped. */
function changingSource(config: ClusterConfig) {
  const listeners: ((config: ClusterConfig) => void)[] = []
  const source: ConfigSource = {
    ...fixedSource(config),
    onChange: listener => {
      listeners.push(listener)
      return () => {}
    },
    stop: async () => {
      state.stopped = true
    },
  }
  const state = {
    source,
    stopped: false,
    change: (later: ClusterConfig) => {
      for (const listener of listeners) listener(later)
    },
  }
  return state
}

function optionsOf(name: string, source: ConfigSource) {
  const ports = { ...realPorts, carrier: network.carrier(name) }
  return { name, config: source, secret: 'life', logLevel: 'silent', ports, dataDirectory }
}

function makeNode(name: string, source: ConfigSource, config = clusterConfig(smallConfig)) {
  const states: NodeState[] = []
  const node = new Node(optionsOf(name, source), source, config)
  node.onState(state => states.push(state))
  return { node, states }
}

describe('a stop', () => {
  test.for([0, 1, 5, 20, 60])(
    '%i ms into a start leaves nothing open, and the node is stopped for good',
    async delayMs => {
      const { source } = changingSource(clusterConfig(smallConfig))
      const { node, states } = makeNode('dc1-mailbox1', source)
      const started = node.start()
      await new Promise(resolve => setTimeout(resolve, delayMs))
      await node.stop()
      await started
      expect(states.at(-1)).toBe('stopped')
      expect(node.runtime.stats().processes).toBe(0)
      expect(network.listening).toEqual([])
      // The store is closed: it can be opened again.
      const again = makeNode('dc1-mailbox1', source)
      const startedAgain = again.node.start()
      await until('it catches up', () => again.states.length > 0)
      await again.node.stop()
      await startedAgain
    },
  )

  test('or a drain while the doors open ends with closed doors', async () => {
    const { source } = changingSource(clusterConfig(smallConfig))
    const { node, states } = makeNode('dc1-chat', source)
    const started = node.start()
    await until('it is about to open', () => states.includes('catching-up'))
    await node.drain({ deadlineMs: 1_000 })
    await started
    expect(states.at(-1)).toBe('stopped')
    expect(network.listening).toEqual([])
  })
})

test('a start that cannot be stops its configuration source', async () => {
  const state = changingSource(clusterConfig(smallConfig))
  await expect(startNode(optionsOf('nobody', state.source))).rejects.toMatchObject({ code: 'unknown-node' })
  expect(state.stopped).toBe(true)
})

describe('a configuration', () => {
  test('that comes while the node starts is taken on', async () => {
    const config = clusterConfig(smallConfig)
    const state = changingSource(config)
    const { node } = makeNode('dc1-chat', state.source, config)
    const guest = { cluster: 'dc1-main', mesh: 'guest:1' }
    state.change(clusterConfig({ ...smallConfig, nodes: { ...smallConfig.nodes, guest } }))
    const started = node.start()
    await until('it knows the guest', () => node.mesh.peers.has('guest'))
    await node.stop()
    await started
  })

  const { mailbox, accounts } = smallConfig.services!
  const misfits = {
    'another number of partitions': { mailbox: { ...mailbox!, partitions: 5 }, accounts: accounts! },
    'other islands': {
      mailbox: { ...mailbox!, islands: { all: ['dc1-mailbox1', 'dc1-mailbox2'] } },
      accounts: accounts!,
    },
    'another weight': {
      mailbox: { ...mailbox!, weights: { 'dc1-island': 10 } },
      accounts: accounts!,
    },
    'an override': {
      mailbox: {
        ...mailbox!,
        overrides: { 0: 'dc1-island', 1: 'dc1-island', 2: 'dc1-island', 3: 'dc1-island' },
      },
      accounts: accounts!,
    },
  }

  test.for(Object.keys(misfits) as (keyof typeof misfits)[])(
    'with %s is not taken on, and said so',
    async what => {
      const config = clusterConfig(smallConfig)
      const state = changingSource(config)
      const { node } = makeNode('dc1-chat', state.source, config)
      const nodes = Object.fromEntries(
        Object.entries(smallConfig.nodes).map(([name, entry]) =>
          what === 'other islands' && name.startsWith('dc2-mailbox')
            ? [name, { ...entry, roles: [] }]
            : [name, entry],
        ),
      )
      state.change(clusterConfig({ ...smallConfig, nodes, services: misfits[what] }))
      expect(node.topology.config).toBe(config)
      expect(node.trouble).toContain('it moves partitions of mailbox')
    },
  )

  test('without the node itself is not taken on: its phones stay served', async () => {
    const config = clusterConfig(smallConfig)
    const state = changingSource(config)
    const { node } = makeNode('dc1-chat', state.source, config)
    const { 'dc1-chat': _, ...nodes } = smallConfig.nodes
    state.change(clusterConfig({ ...smallConfig, nodes }))
    expect(node.topology.config).toBe(config)
    expect(node.trouble).toContain('dc1-chat')
  })
})
