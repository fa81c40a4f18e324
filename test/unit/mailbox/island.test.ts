/**
 * Store and forward on an island whose two halves are both there: order, window, repetition, receipts, sessions.
 */
import { expect, test } from 'vitest'
import { Phone, startIsland } from './harness.ts'

test('a message waits for the phone, is handed over, erased on both halves, and the sender gets a receipt', async () => {
  const island = await startIsland()
  const [alice, bob] = [new Phone(island, 'alice'), new Phone(island, 'bob')]
  await alice.attach()
  expect(await alice.send('bob', 'hello')).toEqual({ level: 'replicated' })
  expect([island.stats('a').messages, island.stats('b').messages]).toEqual([1, 1])

  await bob.attach()
  await island.world.until(() => alice.receipts.length > 0, 'a receipt')
  expect(bob.shown).toEqual([{ from: 'alice', number: 1, body: 'hello', sentAtMs: 1, late: false }])
  expect(alice.receipts).toEqual([{ by: 'bob', number: 1 }])
  await island.world.until(() => island.stats('a').tombstones === 0, 'the tombstone is gone')
  for (const half of ['a', 'b'] as const) {
    expect(island.stats(half)).toMatchObject({
      messages: 0,
      messageBytes: 0,
      tombstones: 0,
      unacknowledgedOps: 0,
    })
  }
})
