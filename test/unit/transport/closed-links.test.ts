/** What the operator is told of links that ended, when many do. */
import { describe, expect, test } from 'vitest'
import { type ClosedKind, ClosedLinks } from '../../../transport/closed-links.ts'
import { encodeGreeting } from '../../../transport/greeting.ts'
import { TEST } from '../../../transport/index.ts'
import { FrameKind } from '../../../transport/wire.ts'
import { closings, greetingOf, Stranger, World } from './world.ts'

/** As many as the ring has room for, in the tests. */
const ringMax = 8

function add(links: ClosedLinks, node: string, kind: ClosedKind, detail = ''): void {
  links.add({ node, address: 'x:1', reason: 'bad-frame', detail, at: 0 }, kind)
}

const names = (links: ClosedLinks) => links.last.map(({ node }) => node).join(' ')

describe('the ring', () => {
  test('keeps the last ones', () => {
    const links = new ClosedLinks(ringMax)
    for (let n = 0; n < 20; n++) add(links, `p${n}`, 'link')
    expect(names(links)).toBe('p12 p13 p14 p15 p16 p17 p18 p19')
    expect(links.counts.get('bad-frame')).toBe(20)
  })

  test('folds what repeats, which is then the newest', () => {
    const links = new ClosedLinks(ringMax)
    for (const node of ['a', 'b', 'a', 'a']) add(links, node, 'dial')
    add(links, 'a', 'dial', 'for another reason')
    expect(links.last.map(({ node, times }) => `${node} ${times}`)).toEqual(['b 1', 'a 3', 'a 1'])
  })

  test('strangers fill what is free, and never more than half when peers need it', () => {
    const links = new ClosedLinks(ringMax)
    add(links, 'p0', 'link')
    for (let n = 0; n < 20; n++) add(links, `s${n}`, 'stranger')
    expect(names(links)).toBe('p0 s13 s14 s15 s16 s17 s18 s19')
    for (let n = 1; n < 10; n++) add(links, `p${n}`, 'link')
    expect(names(links)).toBe('s16 s17 s18 s19 p6 p7 p8 p9')
    for (let n = 20; n < 40; n++) add(links, `s${n}`, 'stranger')
    expect(names(links)).toBe('p6 p7 p8 p9 s36 s37 s38 s39')
  })

  test('a stranger who takes a peer’s name does not count as that peer', () => {
    const links = new ClosedLinks(ringMax)
    add(links, 'p', 'link')
    add(links, 'p', 'stranger')
    expect(links.last.map(({ times }) => times)).toEqual([1, 1])
  })
})

describe('the last link of a peer that was up', () => {
  test('is known however many others ended since', () => {
    const links = new ClosedLinks(ringMax)
    for (let n = 0; n < 100; n++) add(links, `p${n}`, 'link', `of p${n}`)
    add(links, 'p0', 'dial', 'in vain')
    add(links, 'p0', 'stranger', 'somebody')
    expect(links.lastUpTo('p0')).toMatchObject({ node: 'p0', detail: 'of p0' })
    expect(links.lastUpTo('nobody')).toBeUndefined()
  })

  test('is forgotten with the peer', () => {
    const links = new ClosedLinks(ringMax)
    add(links, 'p', 'link')
    links.forget('p')
    expect(links.lastUpTo('p')).toBeUndefined()
  })
})

test('hellos of strangers leave what a peer’s link ended with, and a peer that is removed leaves nothing', async () => {
  const world = new World()
  const [a, b] = await world.pair()
  world.network.cut('a', 'b')
  world.clock.until(() => !a.mesh.peer('b')!.linked)
  for (let n = 0; n < TEST.closedLinksMax + 10; n++) {
    const hello = encodeGreeting(FrameKind.hello, greetingOf('b', { clusterId: `other${n}` }))
    const stranger = new Stranger(world.network.carrier('x').dial('a:1'), hello)
    world.clock.advance(1)
    stranger.stream.destroy()
  }
  expect(closings(a)).toContain('b stream-closed')
  expect(a.mesh.lastLinkTo('b')?.reason).toBe('stream-closed')
  expect(b.mesh.lastLinkTo('a')?.reason).toBe('stream-closed')
  a.mesh.configure([])
  expect(a.mesh.lastLinkTo('b')).toBeUndefined()
  await world.end()
})
