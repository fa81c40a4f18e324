/** Whatever is wrong gets one clear line and the right exit code or close reason; the running cluster is untouched. */
import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import type { ClusterConfigInput } from '../../cluster-config/index.ts'
import { Phone } from '../../node/client/index.ts'
import { Conversation, nothingWrong } from '../support/conversation.ts'
import { finished, MetaCluster, until, wandFile } from '../support/meta-cluster.ts'

let cluster: MetaCluster
let talk: Conversation

beforeAll(async () => {
  cluster = await MetaCluster.start()
  talk = await Conversation.start(cluster, 20, 5)
})
afterAll(async () => {
  await talk?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

type Change = (config: ClusterConfigInput) => ClusterConfigInput

/** Runs one more node beside the ten, on a changed copy of the configuration, until it gives up. */
async function intruder(
  name: string,
  { change = same, secret = cluster.secret }: { readonly change?: Change; readonly secret?: string },
) {
  const file = join(cluster.directory, `intruder-${name}.yaml`)
  const config = parse(await readFile(cluster.configFile, 'utf8'))
  await writeFile(file, stringify(change(config)))
  const runDirectory = join(cluster.directory, 'elsewhere')
  return spawn(process.execPath, [wandFile, 'node', 'run', '--config', file, '--name', name], {
    env: { ...cluster.environment, WANDIST_SECRET: secret, WAND_RUN_DIR: runDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

const same: Change = config => config

/** Moves a node to addresses where nothing listens. */
function moved(name: string): Change {
  const at = { mesh: '127.9.8.7:7411', phones: '127.9.8.7:7511', http: '127.9.8.7:7611' }
  return config => ({ ...config, nodes: { ...config.nodes, [name]: { ...config.nodes[name], ...at } } })
}

/** The one line of a failed command. */
function complaint(stderr: string): string {
  const lines = stderr.split('\n').filter(line => line.startsWith('wand: '))
  expect(lines).toHaveLength(1)
  return lines[0]!
}

describe('a node that should not run', () => {
  test('an unknown name', async () => {
    const { code, stderr } = await finished(await intruder('dc9-chat1', {}))
    expect(code).toBe(66)
    expect(complaint(stderr)).toContain('"dc9-chat1"')
  })

  test('a configuration with an unknown key names file, line and key', async () => {
    const change = (config: ClusterConfigInput) => ({ ...config, clustres: {} })
    const { code, stderr } = await finished(await intruder('dc1-chat1', { change }))
    expect(code).toBe(78)
    expect(complaint(stderr)).toMatch(/intruder-dc1-chat1\.yaml:\d+:\d+: clustres: /)
  })

  test('no secret', async () => {
    const { code, stderr } = await finished(await intruder('dc1-chat1', { secret: '' }))
    expect(code).toBe(78)
    expect(complaint(stderr)).toContain('no secret')
  })

  test('a port in use', async () => {
    const { code, stderr } = await finished(await intruder('dc1-chat1', {}))
    expect(code).toBe(69)
    expect(complaint(stderr)).toMatch(/address in use: 127\.\d+\.\d+\.2:7/)
  })

  test('the name of a live node, from another address', async () => {
    const { code, stderr } = await finished(await intruder('dc1-chat1', { change: moved('dc1-chat1') }))
    expect(code).toBe(69)
    expect(complaint(stderr)).toContain('name is taken')
  })
})

interface NodeDetails {
  readonly closedLinks: readonly { readonly node: string; readonly reason: string }[]
}

/** Waits until a node has closed a link to `node` for `reason`. */
async function awaitClosed(at: string, node: string, reason: string): Promise<void> {
  await until(`${at} turns ${node} away: ${reason}`, async () => {
    const { closedLinks } = await cluster.read<NodeDetails>('node', 'show', at)
    return closedLinks.some(link => link.node === node && link.reason === reason)
  })
}

describe('a node that is not let in', () => {
  test('a wrong secret', async () => {
    const child = await intruder('dc1-chat1', { change: moved('dc1-chat1'), secret: 'guessed' })
    await awaitClosed('dc2-mailbox1', 'dc1-chat1', 'wrong-secret')
    child.kill('SIGKILL')
  })

  test('a foreign cluster id', async () => {
    const change: Change = config => ({ ...moved('dc1-chat1')(config), id: 'somebody-elses' })
    const child = await intruder('dc1-chat1', { change })
    await awaitClosed('dc2-mailbox1', 'dc1-chat1', 'foreign-cluster')
    child.kill('SIGKILL')
  })

  test('a name that is not configured', async () => {
    const stranger = { cluster: 'dc1-main', mesh: '127.9.8.7:7411' }
    const change: Change = config => ({ ...config, nodes: { ...config.nodes, stranger } })
    const child = await intruder('stranger', { change })
    await awaitClosed('dc1-mailbox1', 'stranger', 'not-configured')
    child.kill('SIGKILL')
  })
})

describe('garbage', () => {
  const kinds = ['mesh', 'phones', 'http'] as const

  test.for(kinds)('on the %s port closes that connection only', async kind => {
    const [host, port] = cluster.topology.addressOf('dc1-chat2', kind)!.split(':')
    for (const garbage of [
      Buffer.alloc(70_000, 0xff),
      Buffer.from('GET / HTTP/9.9\r\n\r\n'),
      Buffer.alloc(3),
    ]) {
      const socket = connect({ host: host!, port: Number(port) })
      socket.on('error', () => {})
      socket.resume()
      socket.end(garbage)
      await new Promise(resolve => socket.once('close', resolve))
    }
    const rows = await cluster.read<{ node: string; state: string }[]>('node', 'list')
    expect(rows.filter(row => row.state === 'ready')).toHaveLength(10)
  })
})

describe('a phone that lies', () => {
  const phone = (user: string, key: string) => new Phone({ user, key, addresses: [cluster.doors[0]!] })

  test('with a made-up key is told so, and is not let in', async () => {
    const honest = talk.crowd.names[0]!
    await expect(phone(honest, 'A'.repeat(43)).connect()).rejects.toMatchObject({ code: 'wrong-key' })
    expect(talk.crowd.unserved).toEqual([])
  })

  test('about an account that is not there is told so', async () => {
    await expect(phone('nobody', 'A'.repeat(43)).connect()).rejects.toMatchObject({ code: 'unknown-user' })
  })
})

test('through all of that, nothing was lost', async () => {
  expect(await talk.verdict()).toEqual(nothingWrong)
})
