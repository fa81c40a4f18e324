/** A message on a channel that this version does not know: counted, and nothing else happens. */
import { expect, test } from 'vitest'
import { Lane, Sent } from '../../../transport/index.ts'
import { SmallCluster } from '../../support/in-process.ts'
import { until } from '../../support/meta-cluster.ts'

test('a newer peer’s channel is counted, and the link stays', async () => {
  const nodes = { newer: { mesh: 'newer:1' }, older: { mesh: 'older:1' } }
  await using cluster = await SmallCluster.start({ id: 'two', timing: 'test', nodes })
  const [newer, older] = [cluster.node('newer'), cluster.node('older')]
  const peer = newer.mesh.peer('older')!
  for (const channel of [0, 3, 255]) {
    expect(peer.send(channel, Lane.ordinary, Buffer.from('of the future'), undefined)).toBe(Sent.ok)
  }
  await until('they are counted', () => older.strays.of('newer') === 3)
  expect([newer.strays.of('older'), older.strays.of('nobody'), peer.linked]).toEqual([0, 0, true])
})
