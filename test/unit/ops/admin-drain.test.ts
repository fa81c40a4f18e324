/** A drain as its operator follows it: until a goodbye, a deadline, or something worse. */
import { describe, expect, test } from 'vitest'
import type { DrainLine } from '../../../ops/admin/drain-watch.ts'
import { AdminSetup } from './admin-setup.ts'
import { ask } from './request.ts'

const setup = AdminSetup.forEachTest()

describe('a drain', () => {
  async function drain(through: string, name: string, deadlineMs = 5_000): Promise<DrainLine[]> {
    const path = `/v1/nodes/${name}/drain?deadlineMs=${deadlineMs}`
    const { status, text } = await ask(setup.socket(through), path, { method: 'POST' })
    expect(status).toBe(200)
    return text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
  }

  test('of another node is followed until it has said goodbye', async () => {
    const node = setup.cluster.node('a2')
    node.left = { sessions: 12, calls: 2, unconfirmed: 0, queueBytes: 90 }
    node.mesh.peers.get('a1')!.queueFrames = 1
    node.onDrain = async () => void setTimeout(() => setup.cluster.cut('a2', 'goodbye'), 300)
    const lines = await drain('b1', 'a2')
    expect(node.drainDeadlineMs).toBe(5_000)
    expect(lines[0]).toEqual({
      state: 'draining',
      left: { sessions: 12, calls: 2, unconfirmed: 0, queue: 1 },
    })
    expect(lines.at(-1)).toMatchObject({ state: 'stopped', cutOff: false })
  })

  test('is done at the goodbye, though the node is dialled in vain ever after', async () => {
    setup.cluster.node('a2').onDrain = async () => {
      setup.cluster.cut('a2', 'goodbye')
      setup.cluster.cut('a2', 'refused')
    }
    expect((await drain('b1', 'a2')).at(-1)).toMatchObject({ state: 'stopped' })
  })

  test('of the node that is asked ends with its own last line', async () => {
    const node = setup.cluster.node('a1')
    node.onDrain = async () =>
      void setTimeout(() => {
        node.state = 'stopped'
      }, 100)
    const lines = await drain('a1', 'a1')
    expect(lines.map(line => line.state)).toEqual(['draining', 'stopped'])
  })

  test('that meets its deadline was cut off', async () => {
    const node = setup.cluster.node('a2')
    node.left = { sessions: 3, calls: 0, unconfirmed: 0, queueBytes: 0 }
    node.onDrain = async () => void setTimeout(() => setup.cluster.cut('a2', 'goodbye'), 300)
    expect((await drain('b1', 'a2', 100)).at(-1)).toMatchObject({
      state: 'stopped',
      cutOff: true,
      left: { sessions: 3 },
    })
  })

  test('in which the node is lost has failed', async () => {
    setup.cluster.node('a2').onDrain = async () =>
      void setTimeout(() => setup.cluster.cut('a2', 'stream-closed'), 50)
    expect((await drain('b1', 'a2')).at(-1)).toMatchObject({
      state: 'failed',
      reason: 'link lost: stream-closed',
    })
  })

  test('that cannot hand over says why, and the node lives', async () => {
    setup.cluster.node('a2').onDrain = () => Promise.reject(new Error('sync store: disk-full'))
    expect((await drain('b1', 'a2')).at(-1)).toMatchObject({
      state: 'failed',
      reason: 'sync store: disk-full',
    })
  })

  test('of a node without a link fails at once', async () => {
    setup.cluster.cut('a2', 'stream-closed')
    expect(await drain('b1', 'a2')).toEqual([{ state: 'failed', reason: 'noconnect', left: null }])
  })

  test('needs a POST, a known node and a sane deadline', async () => {
    expect((await ask(setup.socket('b1'), '/v1/nodes/a2/drain')).status).toBe(404)
    const post = { method: 'POST' }
    expect((await ask(setup.socket('b1'), '/v1/nodes/nobody/drain', post)).status).toBe(404)
    expect((await ask(setup.socket('b1'), '/v1/nodes/a2/drain?deadlineMs=-1', post)).status).toBe(400)
    expect(setup.cluster.node('a2').state).toBe('ready')
  })
})
