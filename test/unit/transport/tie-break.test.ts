import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { judge } from '../../../transport/admission.ts'
import { TEST } from '../../../transport/index.ts'
import { closings, linked, send, World } from './world.ts'

describe('the rule', () => {
  const live = (creation: number, dialledByUs: boolean) => ({ creation, dialledByUs })
  test.each([
    // weAreSmaller, creation, live, dialConnected, verdict
    [true, 1, undefined, false, 'take'],
    [false, 1, undefined, false, 'take'],
    [true, 1, undefined, true, 'duplicate-link'],
    [false, 1, undefined, true, 'take'],
    [true, 1, live(1, true), false, 'contest-link'],
    [true, 1, live(1, false), false, 'take-over'],
    [false, 1, live(1, true), false, 'take-over'],
    [false, 1, live(1, false), false, 'take-over'],
    [true, 2, live(1, true), false, 'contest-name'],
    [true, 2, live(1, false), false, 'contest-name'],
    [false, 2, live(1, true), false, 'contest-name'],
    [false, 2, live(1, false), false, 'contest-name'],
  ] as const)(
    'smaller %s, creation %i, live %j, dialling %s: %s',
    (weAreSmaller, creation, live, dialConnected, verdict) => {
      expect(judge({ weAreSmaller, creation, live, dialConnected })).toBe(verdict)
    },
  )
})

describe('two nodes that dial each other', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.end())

  test.each(['a first', 'b first'])('at once (%s) end with the link that a dialled', async order => {
    const a = await world.node('a')
    const b = await world.node('b')
    world.introduce(...(order === 'a first' ? [a, b] : [b, a]))
    world.clock.until(() => linked(a, b))
    world.clock.advance(1_000)
    expect(a.log).toEqual(['up b'])
    expect(b.log).toEqual(['up a'])
    expect([a.mesh.openLinks, b.mesh.openLinks]).toEqual([1, 1])
    expect(closings(a)).toEqual(['b duplicate-link'])
    expect(closings(b)).toEqual(['a duplicate-link'])
    expect(a.mesh.closedLinks[0]!.detail).toBe('a dials b itself')
    send(a, 'b', 'to b')
    send(b, 'a', 'to a')
    world.clock.settle()
    expect([a.received.length, b.received.length]).toEqual([1, 1])
  })

  test('with any delay between them end with one link, each told once, nothing lost', async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const storm = new World({ seed, latencyMs: 5, sliceBytesMax: 1 + (seed % 97) })
      const a = await storm.node('a')
      const b = await storm.node('b')
      const [first, second] = seed % 2 === 0 ? [a, b] : [b, a]
      first.mesh.configure([{ node: second.name, address: `${second.name}:1` }])
      storm.clock.advance((seed % 30) * 1.7)
      second.mesh.configure([{ node: first.name, address: `${first.name}:1` }])
      storm.clock.until(() => linked(a, b), 5_000)
      const sent = send(a, 'b', 'hello') + send(b, 'a', 'hello')
      storm.clock.advance(1_000)
      expect([sent, a.received.length, b.received.length], `seed ${seed}`).toEqual([0, 1, 1])
      const told = [a, b].map(({ log }) => log.filter(line => !line.startsWith('refused')))
      expect(told, `seed ${seed}`).toEqual([['up b'], ['up a']])
      expect([a.mesh.openLinks, b.mesh.openLinks], `seed ${seed}`).toEqual([1, 1])
      await storm.end()
    }
  })

  test('while only the larger can reach the smaller still get their link', async () => {
    const a = await world.node('a')
    const b = await world.node('b')
    world.network.refuse('b:1')
    world.introduce(a, b)
    world.clock.until(() => linked(a, b))
    expect(a.log).toEqual(['up b'])
    expect(closings(a)).toEqual(['b refused'])
  })

  test('while the smaller dials into a wall still get their link', async () => {
    const a = await world.node('a')
    const b = await world.node('b')
    a.mesh.configure([{ node: 'b', address: 'wall:1' }])
    world.network.blackHole('a', 'wall:1')
    b.mesh.configure([{ node: 'a', address: 'a:1' }])
    expect(world.clock.until(() => linked(a, b))).toBeLessThan(50)
    world.network.heal('a', 'wall:1')
  })
})

describe('a node that comes again', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.end())

  test('after its link was cut, finds the other, and both are told', async () => {
    const [a, b] = await world.pair()
    world.network.reset('a', 'b')
    world.clock.until(() => a.log.length === 3 && b.log.length === 3)
    expect(a.log).toEqual(['up b', 'down b stream-closed', 'up b'])
    expect(b.log).toEqual(['up a', 'down a stream-closed', 'up a'])
  })

  test.each([
    ['the smaller', 'a', 'b'],
    ['the larger', 'b', 'a'],
  ])('%s forgot a link that the other believes in: it gets in soon', async (_which, forgetful, believer) => {
    const pair = await world.pair()
    const [one, other] = forgetful === 'a' ? pair : [pair[1], pair[0]]
    world.network.blackHole(one.name, other.name)
    one.mesh.configure([])
    world.clock.advance(50)
    expect(other.mesh.peer(forgetful)!.linked).toBe(true)
    // What the hole held back, the goodbye among it, is gone for good: the old stream stays half open.
    const again = await world.node(forgetful, { listen: `${forgetful}:2` }, { host: `${forgetful}2` })
    again.mesh.configure([{ node: believer, address: `${believer}:1` }])
    const tookMs = world.clock.until(() => again.mesh.peer(believer)!.linked)
    expect(tookMs).toBeLessThan(TEST.probeTimeoutMs * 2)
    expect(other.log.slice(0, 2)).toEqual([`up ${forgetful}`, expect.stringMatching(`down ${forgetful}`)])
    expect(other.log.slice(2)).toEqual([`up ${forgetful}`])
    expect(again.log).toEqual([`up ${believer}`])
  })
})

describe('a second process with the name of another', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.end())

  test('that is alive is refused as duplicate-name, and both sides see it', async () => {
    const [a, b] = await world.pair()
    const second = await world.node('b', {}, { host: 'b2', creation: 2 })
    second.mesh.configure([{ node: 'a', address: 'a:1' }])
    world.clock.until(() => second.log.length > 0)
    expect(second.log).toEqual(['refused a duplicate-name'])
    expect(second.details[0]).toContain('called b')
    expect(closings(second)).toEqual(['a duplicate-name'])
    expect(closings(a)).toContain('b duplicate-name')
    world.clock.advance(1_000)
    expect(a.log).toEqual(['up b'])
    expect(b.log).toEqual(['up a'])
    expect(second.log).not.toContain('up a')
  })

  test('that is dead and did not say so gets in soon, without a refusal', async () => {
    const [a] = await world.pair()
    world.network.blackHole('a', 'b')
    const restarted = await world.node('b', {}, { host: 'b2', creation: 2 })
    restarted.mesh.configure([{ node: 'a', address: 'a:1' }])
    const tookMs = world.clock.until(() => restarted.mesh.peer('a')!.linked)
    expect(tookMs).toBeLessThan(TEST.probeTimeoutMs + 2 * (TEST.heartbeatTimeoutMs / 16))
    expect(restarted.log).toEqual(['up a'])
    expect(a.log).toEqual(['up b', 'down b heartbeat-timeout', 'up b'])
    expect(a.mesh.peer('b')!.creation).toBe(2)
  })

  test('is not refused for what its dead start had said, however late that arrives', async () => {
    const [a, b] = await world.pair()
    world.network.blackHole('a', 'b')
    // These words lie in the network when the new start dials, and arrive while its claim is being looked into.
    send(b, 'a', 'late words of the first start')
    world.clock.settle()
    const restarted = await world.node('b', {}, { host: 'b2', creation: 2 })
    restarted.mesh.configure([{ node: 'a', address: 'a:1' }])
    world.clock.advance(TEST.probeTimeoutMs / 2)
    world.network.heal('b', 'a')
    world.network.blackHole('a', 'b', true)
    world.clock.until(() => restarted.log.length > 0)
    expect(a.received.map(({ text }) => text)).toEqual(['late words of the first start'])
    expect(restarted.log).toEqual(['up a'])
  })

  test('that stops while its claim is being looked into says goodbye, and is heard', async () => {
    const [a] = await world.pair()
    world.network.blackHole('a', 'b')
    const second = await world.node('b', {}, { creation: 2, host: 'b2' })
    second.mesh.configure([{ node: 'a', address: 'a:1' }])
    world.clock.advance(TEST.probeTimeoutMs / 2)
    void second.mesh.stop()
    world.clock.advance(TEST.probeTimeoutMs / 4)
    expect(closings(a)).toEqual(expect.arrayContaining(['b goodbye']))
    expect(closings(a)).not.toContain('b bad-frame')
    world.network.heal('a', 'b')
  })

  test('that dials the very node whose name it bears is refused as duplicate-name', async () => {
    const a = await world.node('a')
    const second = await world.node('a', {}, { host: 'a2', creation: 2 })
    second.mesh.configure([{ node: 'x', address: 'a:1' }])
    world.clock.until(() => second.log.length > 0)
    expect(second.log).toEqual(['refused x duplicate-name'])
    expect(closings(a)).toEqual(['a duplicate-name'])
  })

  test('a node that reaches itself has a wrong address, not a double', async () => {
    const a = await world.node('a')
    a.mesh.configure([{ node: 'b', address: 'a:1' }])
    world.clock.until(() => a.log.length > 0)
    expect(a.log[0]).toBe('refused b wrong-name')
  })
})
