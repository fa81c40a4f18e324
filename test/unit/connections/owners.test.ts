/** Mailboxes change hands: phones follow, only those concerned, and again when it fails. */
import { expect, test } from 'vitest'
import { mailboxPid, World } from './world.ts'

const primary = mailboxPid('dc1-mailbox1')
const secondary = mailboxPid('dc1-mailbox2')

/** Who was asked to attach alice, in order. */
function asked(world: World): string[] {
  return world.attaches.map(({ owner }) => owner.node)
}

test('when the owner dies the phone attaches to the other node, and back when it returns', async () => {
  const world = await World.start()
  const phone = await world.loggedIn('alice')
  world.groups.set('mailbox/0', [primary, secondary])
  world.leave('mailbox/0', primary)
  await world.time.advance(20)
  const restarted = mailboxPid('dc1-mailbox1', 2)
  world.groups.set('mailbox/0', [restarted, secondary])
  world.join('mailbox/1', mailboxPid('other'))
  await world.time.advance(20)
  expect(asked(world)).toEqual(['dc1-mailbox1', 'dc1-mailbox2'])
  world.leave('mailbox/0', secondary)
  await world.time.advance(20)
  expect(asked(world)).toEqual(['dc1-mailbox1', 'dc1-mailbox2', 'dc1-mailbox1'])
  const attachments = world.attaches.map(({ request }) => request.attachment)
  expect(attachments).toEqual([...new Set(attachments)].sort((one, other) => one - other))
  expect(new Set(world.attaches.map(({ request }) => request.sessionNumber)).size).toBe(1)
  expect(world.stats.reattaches).toBe(2)
  expect(phone.of('welcome')).toHaveLength(1)
})

test('an owner that another is preferred to is left for it', async () => {
  const world = await World.start()
  world.groups.set('mailbox/0', [secondary])
  await world.loggedIn('alice')
  world.groups.set('mailbox/0', [primary])
  world.join('mailbox/0', secondary)
  await world.time.advance(20)
  expect(asked(world)).toEqual(['dc1-mailbox2', 'dc1-mailbox1'])
})

test('phones of other partitions, and replica groups, are left alone', async () => {
  const world = await World.start()
  await world.loggedIn('alice')
  world.groups.set('mailbox/0', [secondary])
  world.join('mailbox/7', mailboxPid('dc1-mailbox9'))
  world.join('mailbox/0/replica', primary)
  world.join('somebody', primary)
  await world.time.advance(50)
  expect(asked(world)).toEqual(['dc1-mailbox1'])
})

test('an owner that leaves and comes back in one turn is attached to again: it may have forgotten', async () => {
  const world = await World.start()
  await world.loggedIn('alice')
  world.leave('mailbox/0', primary)
  world.join('mailbox/0', primary)
  await world.time.advance(50)
  expect(asked(world)).toEqual(['dc1-mailbox1', 'dc1-mailbox1'])
})

test('an owner that leaves while it is being asked is not trusted', async () => {
  const world = await World.start()
  let answer: (reply: { attached: true }) => void = () => {}
  world.onAttach = () => new Promise(resolve => (answer = resolve))
  await world.loggedIn('alice')
  world.onAttach = () => ({ attached: true })
  world.groups.set('mailbox/0', [primary, secondary])
  world.leave('mailbox/0', primary)
  await world.time.settle()
  answer({ attached: true })
  await world.time.advance(20)
  expect(asked(world)).toEqual(['dc1-mailbox1', 'dc1-mailbox2'])
})

test('with no owner at all the phone waits, and attaches soon after one comes', async () => {
  const world = await World.start({ backoffMsMin: 100, backoffMsMax: 60_000, reattachJitterMs: 10 })
  await world.loggedIn('alice')
  world.leave('mailbox/0', primary)
  await world.time.advance(10_000)
  expect(asked(world)).toEqual(['dc1-mailbox1'])
  world.join('mailbox/0', secondary)
  await world.time.advance(10)
  expect(asked(world)).toEqual(['dc1-mailbox1', 'dc1-mailbox2'])
})

test('a changed partition table is followed when the node says so', async () => {
  const world = await World.start()
  await world.loggedIn('alice')
  world.groups.set('mailbox/0', [secondary])
  world.connections.recheckOwners()
  await world.time.advance(20)
  expect(asked(world)).toEqual(['dc1-mailbox1', 'dc1-mailbox2'])
})

test('a newer login elsewhere, found when attaching again, ends the older connection', async () => {
  const world = await World.start()
  const phone = await world.loggedIn('alice')
  world.onAttach = () => ({ error: 'replaced' })
  world.groups.set('mailbox/0', [primary, secondary])
  world.leave('mailbox/0', primary)
  await world.time.advance(20)
  expect(phone.heard.at(-1)).toMatchObject({ t: 'go-away', reason: 'replaced' })
  expect(phone.isClosed).toBe(true)
})

test('a phone that is gone follows nobody', async () => {
  const world = await World.start()
  const phone = await world.loggedIn('alice')
  world.groups.set('mailbox/0', [primary, secondary])
  world.leave('mailbox/0', primary)
  await world.time.settle()
  phone.stream.destroy()
  await world.time.advance(1_000)
  expect(asked(world)).toEqual(['dc1-mailbox1'])
})
