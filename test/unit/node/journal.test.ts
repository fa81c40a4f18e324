/** A node's journal: what it remembers of groups and links, how it tells who was a member when, and that it stays small. */
import { beforeEach, describe, expect, test } from 'vitest'
import { startNode } from '../../../node/index.ts'
import { type HistoryQuestion, history } from '../../../node/journal/history.ts'
import { Journal } from '../../../node/journal/journal.ts'
import { type JournalOptions, journalForTests } from '../../../node/journal/options.ts'
import { Ring } from '../../../node/journal/ring.ts'
import { Pid, Registry } from '../../../routing/index.ts'
import { MemoryNetwork, realPorts, realTimers, Sent } from '../../../transport/index.ts'
import { VirtualTime } from '../routing/world.ts'

let time: VirtualTime
let frames: (() => void)[]

beforeEach(() => {
  time = new VirtualTime()
  frames = []
})

/** A registry with its journal. */
class Place {
  readonly journal: Journal
  readonly registry: Registry
  readonly name: string
  readonly creation: number

  constructor(name: string, creation: number, options: Partial<JournalOptions> = {}) {
    this.name = name
    this.creation = creation
    this.journal = new Journal(name, time, options)
    const random = { next: () => 0.5, bytes: (count: number) => new Uint8Array(count) }
    this.registry = new Registry({
      node: name,
      creation,
      place: () => ({ cluster: 'main', datacenter: 'dc1' }),
      published: () => true,
      ports: { clock: time, timers: time, random },
      events: this.journal.ears,
    })
  }

  join(group: string, ...indexes: number[]): void {
    for (const index of indexes) this.registry.join(group, this.pid(index))
  }

  leave(group: string, index: number): void {
    this.registry.leave(group, this.pid(index))
  }

  pid(index: number): Pid {
    return new Pid(this.name, this.creation, 0, index)
  }

  /** How another place sees it; without a link what is sent goes nowhere. */
  linkFrom(other: Place) {
    return { node: this.name, creation: this.creation, send: sendTo(this, other) }
  }

  ask(question: Partial<HistoryQuestion>) {
    const whole = { group: 'room', untilMs: time.wallMs(), sinceMs: null, owners: null, ...question }
    const self = { node: this.name, creation: this.creation }
    return history(this.journal, this.registry, self, whole, 100)
  }

  /** Members at a time, as `node/index` or, as often as it joined, `node/index x2`; those of others when named. */
  at(untilMs: number, owners: readonly string[] | null = null): string[] {
    const { members } = this.ask({ untilMs, owners })
    return members
      .map(({ pid, times }) => `${pid.split('/')[0]}/${pid.split('/')[3]}${times > 1 ? ` x${times}` : ''}`)
      .sort()
  }

  /** What happened in between, as `time kind count`. */
  changes(sinceMs: number, owners: readonly string[] | null = null): string[] {
    return this.ask({ sinceMs, owners }).changes.map(({ atMs, kind, count }) => `${atMs} ${kind} ${count}`)
  }
}

function sendTo(to: Place, from: Place) {
  return (_channel: number, _lane: number, header: Uint8Array, payload: Uint8Array | undefined) => {
    const body = Buffer.concat([header, payload ?? Buffer.alloc(0)])
    frames.push(() => to.registry.receive(from.linkFrom(to), body))
    return Sent.ok
  }
}

function link(one: Place, other: Place): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.journal.linkUp(to.linkFrom(from))
    from.registry.peerUp(to.linkFrom(from))
  }
  settle()
}

/** The link is lost, for both. */
function lose(one: Place, other: Place): void {
  frames = []
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.journal.linkDown(to.linkFrom(from), 'stream-closed')
    from.registry.peerDown(to.linkFrom(from), { isOrderly: false })
  }
}

function settle(): void {
  while (time.endTurn() || frames.length > 0) for (const run of frames.splice(0)) run()
}

/** Ends the turn, and lets time pass. */
function wait(durationMs = 10): void {
  settle()
  const untilMs = time.nowMs() + durationMs
  while (time.runNext(untilMs)) settle()
}

describe('a node and its own members', () => {
  test('tells who was a member at any time', () => {
    const a = new Place('a', 1)
    wait()
    a.join('room', 1)
    wait()
    a.join('room', 2, 2)
    a.join('other', 3)
    wait()
    a.leave('room', 1)
    a.leave('room', 2)
    wait()
    expect([5, 10, 20, 30, 40].map(atMs => a.at(atMs))).toEqual([
      [],
      ['a/1'],
      ['a/1', 'a/2 x2'],
      ['a/2'],
      ['a/2'],
    ])
  })

  test('tells what happened in between, oldest first', () => {
    const a = new Place('a', 1)
    wait()
    a.join('room', 1)
    wait()
    a.join('room', 2, 2)
    a.leave('room', 1)
    wait()
    expect(a.changes(0)).toEqual(['10 join 1', '20 join 2', '20 leave 1'])
    expect(a.changes(10)).toEqual(['20 join 2', '20 leave 1'])
    expect(a.ask({ sinceMs: 0, untilMs: 10 }).changes).toHaveLength(1)
  })

  test('a process that ends has left', () => {
    const a = new Place('a', 1)
    a.join('room', 1)
    wait()
    a.registry.leaveAll(a.pid(1))
    wait()
    expect(a.at(5)).toEqual(['a/1'])
    expect(a.at(10)).toEqual([])
  })

  test('what comes and goes within a turn has not been', () => {
    const a = new Place('a', 1)
    a.join('room', 1)
    a.leave('room', 1)
    wait()
    expect(a.journal.own.size).toBe(0)
  })

  test('a closed scope has no members any more, but had some', () => {
    const a = new Place('a', 1)
    a.registry.scope('side').join('room', a.pid(1))
    wait()
    a.registry.closeScope('side')
    a.registry.scope('side')
    wait()
    expect(a.at(5)).toEqual(['a/1'])
    expect(a.at(10)).toEqual([])
    expect(a.changes(5)).toEqual(['10 forgot 1'])
  })

  test('metadata is nobody’s history', () => {
    const a = new Place('a', 1)
    a.join('room', 1)
    wait()
    a.registry.update('room', a.pid(1), { weight: 2 })
    wait()
    expect(a.changes(0)).toEqual([])
    expect(a.at(5)).toEqual(['a/1'])
  })
})

describe('a node and others', () => {
  test('says what it saw of them, their end included', () => {
    const [a, b] = [new Place('a', 1), new Place('b', 2)]
    b.join('room', 1)
    settle()
    wait()
    link(a, b)
    wait()
    b.join('room', 2)
    wait()
    lose(a, b)
    wait(5_000)
    expect(a.registry.members('room')).toEqual([])
    expect([5, 15, 25, 1_000, 5_000].map(atMs => a.at(atMs, ['b']))).toEqual([
      [],
      ['b/1'],
      ['b/1', 'b/2'],
      ['b/1', 'b/2'],
      [],
    ])
    expect(a.changes(0, ['b'])).toEqual(['10 appeared 1', '20 join 1', '3030 forgot 2'])
    expect(a.at(25, ['c'])).toEqual([])
  })

  test('members of a lost link were suspects', () => {
    const [a, b] = [new Place('a', 1), new Place('b', 2)]
    b.join('room', 1)
    link(a, b)
    wait()
    lose(a, b)
    wait(1_000)
    link(a, b)
    wait()
    const suspect = (untilMs: number) =>
      a.ask({ untilMs, owners: ['b'] }).members.map(member => member.suspect)
    expect([5, 500, 1_010].map(suspect)).toEqual([[false], [true], [false]])
    const links = a.ask({ sinceMs: -1 }).links.map(({ kind, why }) => `${kind} ${why}`.trim())
    expect(links).toEqual(['link-up', 'link-down stream-closed', 'suspect link lost', 'link-up'])
  })

  test('two starts of a node are two', () => {
    const [a, b] = [new Place('a', 1), new Place('b', 2)]
    b.join('room', 1)
    link(a, b)
    wait()
    lose(a, b)
    const again = new Place('b', 3)
    again.join('room', 1)
    settle()
    link(a, again)
    wait()
    const pids = (untilMs: number) => a.ask({ untilMs, owners: ['b'] }).members.map(({ pid }) => pid)
    expect([5, 15].map(pids)).toEqual([['b/2/0/1'], ['b/3/0/1']])
  })

  test('what was too much to keep is said to be unknown, not to be nothing', () => {
    const [a, b] = [new Place('a', 1, journalForTests), new Place('b', 2)]
    for (let index = 1; index <= 10; index++) b.join('room', index)
    link(a, b)
    wait()
    lose(a, b)
    wait(5_000)
    expect(a.ask({ untilMs: 5, owners: ['b'] })).toMatchObject({ members: [], unknown: ['b'] })
    expect(a.ask({ untilMs: 5_000, owners: ['b'] })).toMatchObject({ members: [], unknown: [] })
  })
})

describe('bounds', () => {
  test('it says how far back it reaches', () => {
    const a = new Place('a', 1, journalForTests)
    wait()
    expect(a.ask({}).reachMs).toBe(0)
    for (let index = 1; index <= 10; index++) {
      a.join('room', index)
      wait()
    }
    expect(a.journal.own.size).toBe(8)
    expect(a.ask({}).reachMs).toBe(20)
    expect(a.at(30)).toEqual(['a/1', 'a/2', 'a/3'])
  })

  test('100,000 joins in one turn are bounded in entries and bytes', () => {
    const a = new Place('a', 1)
    for (let index = 1; index <= 100_000; index++) a.registry.join(`room/${index % 1_000}`, a.pid(index))
    wait()
    const { own } = a.journal.stats()
    expect(own.entries).toBeLessThanOrEqual(196)
    expect(own.bytes).toBeLessThanOrEqual(4 * 1024 * 1024)
    expect(own.gone).toBeGreaterThan(0)
  })

  test('a turn’s joins are one entry', () => {
    const a = new Place('a', 1)
    for (let index = 1; index <= 500; index++) a.join('room', index)
    wait()
    expect(a.journal.own.size).toBe(1)
    expect(a.changes(-1)).toEqual(['0 join 500'])
    expect(a.ask({ sinceMs: -1 })).toMatchObject({ truncated: true, changes: [{ pids: [] }] })
    expect(a.ask({ sinceMs: -1 }).members).toHaveLength(100)
  })

  test('a flood of one kind does not wash out the others', () => {
    const [a, b] = [new Place('a', 1, journalForTests), new Place('b', 2)]
    a.join('room', 1)
    link(a, b)
    for (let index = 1; index <= 50; index++) {
      b.join('room', index)
      wait()
    }
    expect(a.journal.others.gone).toBeGreaterThan(0)
    expect([a.journal.own.gone, a.journal.links.gone]).toEqual([0, 0])
  })

  test('with no room it remembers nothing, and says so', () => {
    const a = new Place('a', 1, { entriesMax: 0 })
    wait()
    a.join('room', 1)
    wait()
    expect(a.journal.own.size).toBe(0)
    expect(a.ask({}).reachMs).toBe(10)
  })

  test('a node is told how much to remember', async () => {
    const network = new MemoryNetwork({ timers: realTimers })
    await using node = await startNode({
      name: 'a',
      config: { id: 'one', timing: 'test', nodes: { a: { mesh: 'a:1' } } },
      secret: 'one',
      logLevel: 'silent',
      journal: { entriesMax: 2 },
      ports: { ...realPorts, carrier: network.carrier('a') },
    })
    for (const index of [64, 65, 66]) {
      node.registry.join('room', new Pid('a', node.creation, 0, index))
      node.registry.flush()
    }
    expect(node.journal.stats().own).toMatchObject({ entries: 2, gone: 1 })
  })

  test('a ring keeps the newest, within its entries and bytes', () => {
    const ring = new Ring<{ number: number; atMs: number }>(3, 100)
    for (let number = 1; number <= 5; number++) ring.add({ number, atMs: number * 10 }, 40)
    expect(Array.from(ring.newestFirst(), ({ number }) => number)).toEqual([5, 4])
    expect([ring.size, ring.bytes, ring.gone, ring.goneAtMs]).toEqual([2, 80, 3, 30])
    ring.add({ number: 6, atMs: 60 }, 101)
    expect([ring.size, ring.bytes, ring.goneAtMs]).toEqual([0, 0, 60])
    ring.add({ number: 7, atMs: 70 }, 100)
    expect(Array.from(ring.newestFirst(), ({ number }) => number)).toEqual([7])
  })
})
