/** Digests: golden vectors, and that they are a function of the set and of nothing else. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Digest, digestText, lanesOf } from '../../../routing/digest.ts'
import { keyHash } from '../../../routing/hash.ts'
import type { MemberMeta } from '../../../routing/index.ts'
import { World } from './world.ts'

interface GoldenMember {
  readonly group: string
  readonly worker: number
  readonly index: number
  readonly times: number
  readonly meta?: MemberMeta
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/routing/digests.json', import.meta.url), 'utf8'),
) as readonly { readonly name: string; readonly members: readonly GoldenMember[]; readonly digest: string }[]

function digestOf(members: readonly GoldenMember[]): Digest {
  const digest = new Digest()
  for (const { group, worker, index, times, meta } of members)
    digest.count(lanesOf(group), worker, index, times, meta, 1)
  return digest
}

const member: fc.Arbitrary<GoldenMember> = fc.record({
  group: fc.constantFrom('room', 'hall'),
  worker: fc.nat({ max: 2 }),
  index: fc.integer({ min: 1, max: 4 }),
  times: fc.integer({ min: 1, max: 2 }),
  meta: fc.constantFrom<MemberMeta>({}, { weight: 1 }, { draining: true }),
})

describe('a digest', () => {
  it.each(golden)('of $name: the golden one', ({ members, digest }) => {
    expect(digestText(digestOf(members))).toBe(digest)
    expect(digestText(digestOf(members.toReversed()))).toBe(digest)
  })

  it('differs for each of the golden sets', () => {
    expect(new Set(golden.map(({ digest }) => digest)).size).toBe(golden.length)
  })

  it('sees a name by its key hash, and by that of U+0001 before it', () => {
    for (const name of ['', 'room', 'räume', '\u0001', '\u{1f600}']) {
      expect(lanesOf(name)).toEqual({ high: keyHash(name), low: keyHash(`\u0001${name}`) })
    }
  })

  it('forgets whoever is taken out, in any order', () => {
    fc.assert(
      fc.property(fc.array(member), fc.array(member), (kept, gone) => {
        const digest = digestOf([...kept, ...gone])
        for (const { group, worker, index, times, meta } of gone)
          digest.count(lanesOf(group), worker, index, times, meta, -1)
        expect(digestText(digest)).toBe(digestText(digestOf(kept)))
      }),
    )
  })

  it('in either half, tells a hundred thousand sets of one apart but for chance', () => {
    const [high, low] = [new Set<number>(), new Set<number>()]
    for (let index = 1; index <= 100_000; index++) {
      const digest = digestOf([{ group: `group-${index % 100}`, worker: index % 3, index, times: 1 }])
      high.add(digest.high)
      low.add(digest.low)
    }
    // One expects 1.2 pairs that share one of 2^32 values.
    expect(high.size).toBeGreaterThan(99_990)
    expect(low.size).toBeGreaterThan(99_990)
  })
})

describe('the rows for operators', () => {
  it('say the same of an owner on the owner and on all that hold its members', () => {
    const world = new World()
    const nodes = ['a', 'b', 'c'].map(name => world.start(name))
    world.linkAll()
    for (const node of nodes) node.registry.join('room', node.pid(1), { zone: node.name })
    world.advance(10)
    nodes[0]!.registry.join('hall', nodes[0]!.pid(2))
    world.settle()
    const rowsOf = (owner: string) =>
      nodes.map(({ registry }) => registry.digests().find(({ node }) => node === owner)!)
    for (const owner of ['a', 'b', 'c']) {
      const [first, ...others] = rowsOf(owner).map(({ sinceMs: _, ...row }) => row)
      for (const other of others) expect(other).toEqual(first)
    }
    expect(rowsOf('a')[1]).toEqual({
      scope: 'main',
      node: 'a',
      creation: 1,
      audience: 'cluster',
      number: 2,
      digest: expect.stringMatching(/^[0-9a-f]{16}$/),
      members: 2,
      isSuspect: false,
      sinceMs: 10,
    })
    expect(rowsOf('b')[0]!.sinceMs).toBe(0)
  })
})
