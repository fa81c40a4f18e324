/** Rules of tee and divert: which there may be, how they end, and which messages are their share. */
import { describe, expect, test } from 'vitest'
import { clusterConfig, Topology } from '../../../cluster-config/index.ts'
import { ActiveRule } from '../../../node/diversion/active-rule.ts'
import { Diversions } from '../../../node/diversion/diversions.ts'
import { type DiversionRule, diversionProblem } from '../../../node/diversion/rule.ts'
import { makeLog, NodeError } from '../../../node/index.ts'
import { Pid } from '../../../routing/index.ts'
import { ManualClock } from '../transport/manual-clock.ts'

const topology = new Topology(
  clusterConfig({
    id: 'diverted',
    nodes: {
      sender: { mesh: 'sender:1' },
      worker: { mesh: 'worker:1', roles: ['accounts'] },
      shadow: { mesh: 'shadow:1' },
    },
    services: { accounts: { partitions: 2, islands: { one: ['worker'] } } },
  }),
)

function diversions(clock = new ManualClock()): Diversions {
  const log = makeLog('sender', 'silent')
  const problem = (rule: DiversionRule) => diversionProblem(rule, topology)
  return new Diversions({ node: 'sender', problem, clock, timers: clock, log })
}

let ids = 0
function rule(changes: Partial<DiversionRule> = {}): DiversionRule {
  const id = `rule-${++ids}`
  return {
    ...{ id, kind: 'tee', of: 'group', source: 'room', fraction: 1, target: 'shadow', forMs: 60_000 },
    ...changes,
  }
}

/** How many of `count` messages a rule takes. */
function taken(fraction: number, count: number, key: (n: number) => string | undefined): number {
  const active = new ActiveRule(rule({ fraction }), 0)
  return Array.from({ length: count }, (_, n) => active.takes(key(n))).filter(Boolean).length
}

describe('the share of a rule', () => {
  test('is exact for messages without a key, whatever the fraction', () => {
    for (const fraction of [0.001, 0.1, 0.25, 0.29, 1 / 3, 0.5, 0.7, 0.999, 1]) {
      expect(Math.abs(taken(fraction, 10_000, () => undefined) - 10_000 * fraction)).toBeLessThanOrEqual(1)
    }
  })

  test('is about so many of the keys', () => {
    expect(taken(0.1, 10_000, n => `user${n}`)).toBeGreaterThan(900)
    expect(taken(0.1, 10_000, n => `user${n}`)).toBeLessThan(1_100)
    expect(taken(1, 1_000, n => `user${n}`)).toBe(1_000)
  })

  test('does not hold what goes to the target anyway', () => {
    const active = new ActiveRule(rule(), 0)
    expect(active.concerns('room', new Pid('shadow', 1, 0, 64))).toBe(false)
    expect(active.concerns('room', new Pid('worker', 1, 0, 64))).toBe(true)
    expect(active.concerns('hall', new Pid('worker', 1, 0, 64))).toBe(false)
  })
})

test('members on the target get what they get in turn, and a key always the same one', () => {
  const active = new ActiveRule(rule(), 0)
  const members = [1, 2, 3].map(index => new Pid('shadow', 1, 0, index))
  const all = [new Pid('worker', 1, 0, 9), ...members]
  const chosen = members.map(() => active.choose({ group: 'room' }, all)!)
  expect(new Set(chosen)).toEqual(new Set(members))
  const keyed = members.map(() => active.choose({ group: 'room', key: 'bob' }, all))
  expect(new Set(keyed).size).toBe(1)
  expect(active.choose({ group: 'room' }, all.slice(0, 1))).toBeUndefined()
})

describe('a rule ends', () => {
  test('when its time is up, and not before', () => {
    const clock = new ManualClock()
    const some = diversions(clock)
    some.add(rule({ forMs: 1_000 }))
    clock.advance(999)
    expect(some.list()).toMatchObject([{ leftMs: 1 }])
    clock.advance(1)
    expect(some.list()).toEqual([])
  })

  test('when another of its kind with its source and target comes', () => {
    const clock = new ManualClock()
    const some = diversions(clock)
    some.add(rule({ fraction: 0.1 }))
    some.add(rule({ fraction: 0.2 }))
    some.add(rule({ kind: 'divert' }))
    expect(some.list().map(({ kind, fraction }) => [kind, fraction])).toEqual([
      ['tee', 0.2],
      ['divert', 1],
    ])
    expect(clock.pendingTimers).toBe(2)
  })

  test('with the node, and leaves no timer', () => {
    const clock = new ManualClock()
    const some = diversions(clock)
    some.add(rule())
    const { id } = some.add(rule({ kind: 'divert' }))
    expect(clock.pendingTimers).toBe(2)
    some.remove(id)
    some.stop()
    expect([some.rules.length, clock.pendingTimers]).toEqual([0, 0])
  })

  test('and what it did stays counted', () => {
    const some = diversions()
    const { id } = some.add(rule({ kind: 'divert' }))
    some.took(some.rules[0]!, 'worker')
    some.missed(some.rules[0]!, 'refused')
    some.remove(id)
    expect(some.counts).toEqual({ teed: 0, diverted: 1, noTarget: 0, refused: 1 })
    expect(some.ofPeer('shadow')).toEqual({ teedTo: 0, divertedTo: 1, teedFrom: 0, divertedFrom: 0 })
    expect(some.ofPeer('worker')).toEqual({ teedTo: 0, divertedTo: 0, teedFrom: 0, divertedFrom: 1 })
  })
})

describe('a rule that cannot be is refused', () => {
  const cases: [why: string, changes: Partial<DiversionRule>, says: string][] = [
    ['of nothing', { fraction: 0 }, 'a fraction is above 0 and at most 1: 0'],
    ['of more than all', { fraction: 1.5 }, 'a fraction is above 0 and at most 1: 1.5'],
    ['without end', { forMs: Number.POSITIVE_INFINITY }, 'it lasts a day at most: Infinity ms'],
    ['to a node that is not configured', { target: 'nobody' }, 'no such node: "nobody"'],
    ['of a peer that is not configured', { of: 'peer', source: 'nobody' }, 'no such node: "nobody"'],
    ['to the peer that it is of', { of: 'peer', source: 'shadow' }, 'from shadow to itself'],
    ['of a service', { source: 'accounts/1' }, '"accounts/1" is of the service accounts'],
    ['to the node itself', { target: 'sender' }, 'sender is the target itself'],
    ['of a group without a name', { source: '' }, "a group's name has 1 to 255 characters, not 0"],
    ['with an id that is none', { id: 'a b' }, 'not an id: a b'],
  ]
  for (const [why, changes, says] of cases) {
    test(why, () => {
      const some = diversions()
      const attempt = () => some.add(rule(changes))
      expect(attempt).toThrow(NodeError)
      expect(attempt).toThrow(says)
      expect(some.rules).toHaveLength(0)
    })
  }

  test('when there are sixteen, or its id is taken', () => {
    const some = diversions()
    for (let n = 0; n < 16; n++) some.add(rule({ id: `n${n}`, source: `room${n}` }))
    expect(() => some.add(rule())).toThrow('16 rules are in force already')
    some.remove('n0')
    expect(() => some.add(rule({ id: 'n1' }))).toThrow('the id is taken')
  })
})
