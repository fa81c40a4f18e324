/** Tee and divert (C11): what an operator's rules do to what three real nodes send each other, and what they leave alone. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Diverter } from '../../node/diversion/diverter.ts'
import type { DiversionRule } from '../../node/diversion/rule.ts'
import { type Caller, type Node, Sent, Server } from '../../node/index.ts'
import { Lane } from '../../transport/index.ts'
import { SmallCluster } from '../support/in-process.ts'
import { until } from '../support/meta-cluster.ts'

/** A member of the group under test: keeps what it gets, says who it is. */
class Member extends Server<unknown, unknown> {
  readonly got: unknown[] = []
  readonly calls: unknown[] = []
  readonly name: string

  constructor(name: string) {
    super()
    this.name = name
  }

  override handleCast(message: unknown) {
    this.got.push(message)
  }

  override handleCall(message: unknown, _caller: Caller): unknown {
    this.calls.push(message)
    return this.name
  }
}

/** `sender` and `worker` are near each other, `shadow` is far: what is sent to the group goes to the worker. */
const config = {
  id: 'diverted',
  timing: 'test' as const,
  clusters: { near: {}, far: {} },
  talk: [['near', 'far'] as const],
  nodes: {
    sender: { cluster: 'near', mesh: 'sender:1' },
    worker: { cluster: 'near', mesh: 'worker:1', roles: ['accounts' as const] },
    shadow: { cluster: 'far', datacenter: 'dc2', mesh: 'shadow:1' },
  },
  services: { accounts: { partitions: 2, islands: { one: ['worker'] }, pin: 'reply' as const } },
}

let cluster: SmallCluster
let sender: Node
let worker: Member
let shadow: Member

beforeEach(async () => {
  cluster = await SmallCluster.start(config)
  sender = cluster.node('sender')
  worker = new Member('worker')
  shadow = new Member('shadow')
  cluster.node('worker').spawn(worker, { groups: ['room'] })
  cluster.node('shadow').spawn(shadow, { groups: ['room'] })
  await until('both are members', () => sender.members('room').length === 2)
})

afterEach(async () => {
  await cluster[Symbol.asyncDispose]()
})

let ids = 0
function rule(changes: Partial<DiversionRule> = {}): DiversionRule {
  const id = `rule-${++ids}`
  return {
    ...{ id, kind: 'tee', of: 'group', source: 'room', fraction: 1, target: 'shadow', forMs: 60_000 },
    ...changes,
  }
}

/** Sends 0 to `count` less one to the group, and waits until both members together have got `total`. */
async function send(count: number, total = count): Promise<void> {
  for (let n = 0; n < count; n++) expect(sender.cast({ group: 'room' }, n)).toBe(Sent.ok)
  await until(`${total} arrive`, () => worker.got.length + shadow.got.length >= total)
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
const ledger = () => sender.mesh.peer('shadow')!.ledger.ordinary

describe('without a rule', () => {
  test('the far member gets nothing', async () => {
    await send(20)
    expect([worker.got, shadow.got]).toEqual([numbers(20), []])
  })
})

describe('a tee', () => {
  test('of all of a group: both members get all, and the ledger shows the copies', async () => {
    sender.diversions.add(rule())
    const before = ledger().accepted
    await send(20, 40)
    expect([worker.got, shadow.got]).toEqual([numbers(20), numbers(20)])
    expect(ledger().accepted - before).toBe(20)
    expect(sender.diversions.ofPeer('shadow')).toMatchObject({ teedTo: 20, divertedTo: 0 })
    expect(sender.diversions.ofPeer('worker')).toMatchObject({ teedFrom: 20, divertedFrom: 0 })
    expect(sender.diversions.list()).toMatchObject([{ seen: 20, taken: 20, noTarget: 0, refused: 0 }])
  })

  test('of a tenth copies every tenth', async () => {
    sender.diversions.add(rule({ fraction: 0.1 }))
    await send(100, 110)
    expect(worker.got).toEqual(numbers(100))
    expect(shadow.got).toEqual(numbers(10).map(n => 10 * n + 9))
  })

  test('of a call drops the copy’s answer, and the caller gets the one it would have got', async () => {
    sender.diversions.add(rule())
    expect(await sender.call({ group: 'room' }, 'who?')).toBe('worker')
    await until('the copy is there', () => shadow.calls.length === 1)
    expect(worker.calls).toEqual(['who?'])
  })

  test('copies what a local member gets', async () => {
    const local = new Member('sender')
    sender.spawn(local, { groups: ['room'] })
    await until('it is nearest', () => sender.members('room').length === 3)
    sender.diversions.add(rule())
    sender.cast({ group: 'room' }, 'to myself')
    await until('both get it', () => local.got.length + shadow.got.length === 2)
    expect(shadow.got).toEqual(['to myself'])
  })

  test('of a message that only a local process can take harms nobody', async () => {
    const local = new Member('sender')
    sender.spawn(local, { groups: ['room'] })
    await until('it is nearest', () => sender.members('room').length === 3)
    sender.diversions.add(rule())
    sender.diversions.add(rule({ kind: 'divert' }))
    expect(sender.cast({ group: 'room' }, () => {})).toBe(Sent.ok)
    await until('it is there', () => local.got.length === 1)
    expect(sender.diversions.counts).toMatchObject({ teed: 0, diverted: 0, refused: 2 })
  })
})

describe('a divert', () => {
  test('of half of a group: each member gets half, in order', async () => {
    sender.diversions.add(rule({ kind: 'divert', fraction: 0.5 }))
    await send(100)
    expect(worker.got).toEqual(numbers(50).map(n => 2 * n))
    expect(shadow.got).toEqual(numbers(50).map(n => 2 * n + 1))
    expect(sender.diversions.ofPeer('worker').divertedFrom).toBe(50)
    expect(sender.diversions.counts).toMatchObject({ teed: 0, diverted: 50 })
  })

  test('ends when it is removed', async () => {
    const { id } = sender.diversions.add(rule({ kind: 'divert' }))
    await send(10)
    expect(shadow.got).toHaveLength(10)
    expect(sender.diversions.remove(id)).toBe(true)
    expect(sender.diversions.remove(id)).toBe(false)
    await send(10, 20)
    expect([worker.got.length, shadow.got.length]).toEqual([10, 10])
  })

  test('ends by itself', async () => {
    sender.diversions.add(rule({ kind: 'divert', forMs: 20 }))
    await until('it is over', () => sender.diversions.rules.length === 0)
    await send(5)
    expect(shadow.got).toEqual([])
  })

  test('of a call is answered by the target', async () => {
    sender.diversions.add(rule({ kind: 'divert' }))
    expect(await sender.call({ group: 'room' }, 'who?')).toBe('shadow')
    expect(worker.calls).toEqual([])
  })

  test('keeps all that a key stands for on one side', async () => {
    sender.diversions.add(rule({ kind: 'divert', fraction: 0.5, target: 'shadow' }))
    const keys = numbers(40).map(n => `user${n}`)
    for (let round = 0; round < 3; round++) {
      for (const key of keys) sender.cast({ group: 'room', key }, key)
    }
    await until('all are there', () => worker.got.length + shadow.got.length === 120)
    const [here, there] = [new Set(worker.got), new Set(shadow.got)]
    expect(here.size + there.size).toBe(40)
    expect(here.isDisjointFrom(there)).toBe(true)
    expect(sender.diversions.counts.diverted).toBeGreaterThan(0)
  })

  test('whose target has a full queue lets the message go its usual way, and counts it', async () => {
    sender.diversions.add(rule({ kind: 'divert' }))
    cluster.network.blackHole('sender', 'shadow')
    const text = 'x'.repeat(100_000)
    for (let n = 0; n < 20; n++) {
      expect(sender.cast({ group: 'room' }, text)).toBe(Sent.ok)
      // The worker's queue has room for what one turn sends, not for all.
      await new Promise(resolve => setImmediate(resolve))
    }
    const { taken, refused } = sender.diversions.list()[0]!
    expect([taken > 0, refused > 0, taken + refused]).toEqual([true, true, 20])
    await until('what was refused is with the worker', () => worker.got.length === refused)
  })

  test('whose target is not linked changes nothing, and counts it', async () => {
    sender.diversions.add(rule({ kind: 'divert' }))
    cluster.network.cut('sender', 'shadow')
    await until('it is gone', () => !sender.mesh.peer('shadow')!.linked)
    await send(5)
    expect(worker.got).toEqual(numbers(5))
    expect(await sender.call({ group: 'room' }, 'who?')).toBe('worker')
    expect(sender.diversions.list()).toMatchObject([{ seen: 6, taken: 0, noTarget: 6, refused: 0 }])
  })
})

describe('a rule of a peer', () => {
  test('is about every group, where the member chosen is on that peer', async () => {
    const [other, hall] = [new Member('other'), new Member('hall')]
    cluster.node('worker').spawn(other, { groups: ['hall'] })
    cluster.node('shadow').spawn(hall, { groups: ['hall'] })
    await until('both are members', () => sender.members('hall').length === 2)
    sender.diversions.add(rule({ of: 'peer', source: 'worker' }))
    sender.cast({ group: 'hall' }, 'one')
    await send(1, 2)
    await until('the copies are there', () => hall.got.length + shadow.got.length === 2)
    expect([other.got, worker.got]).toEqual([['one'], [0]])
  })

  test('of another peer is about nothing', async () => {
    sender.diversions.add(rule({ of: 'peer', source: 'sender' }))
    await send(5)
    expect(sender.diversions.list()).toMatchObject([{ seen: 0, taken: 0 }])
  })
})

describe('left alone are', () => {
  beforeEach(() => {
    sender.diversions.add(rule({ kind: 'divert' }))
    sender.diversions.add(rule({ kind: 'divert', of: 'peer', source: 'worker' }))
  })
  afterEach(() => {
    expect(sender.diversions.counts).toEqual({ teed: 0, diverted: 0, noTarget: 0, refused: 0 })
  })

  test('what is sent to a process', async () => {
    sender.cast(sender.members('room')[0]!, 'you')
    await until('it is there', () => worker.got.length === 1)
  })

  test('other lanes', async () => {
    const diverter = new Diverter({
      diversions: sender.diversions,
      router: sender.router,
      members: group => sender.members(group),
      isLinked: name => sender.mesh.peer(name)!.linked,
      isOwned: () => false,
    })
    for (const lane of [Lane.control, Lane.bulk]) diverter.cast({ group: 'room' }, 'aside', { lane })
    await until('both are there', () => worker.got.length === 2)
  })

  test('what goes to all members', async () => {
    expect(sender.castAll('room', 'all')).toBe(2)
    await until('both get it once', () => worker.got.length + shadow.got.length === 2)
  })

  test('services, whose keys have one owner', async () => {
    await sender.awaitMember('accounts/0')
    for (const target of [{ service: 'accounts', key: 'bob' }, { group: 'accounts/0' }])
      await sender.call(target, { op: 'nothing' }).catch(() => {})
    expect(sender.diversions.list().map(({ seen }) => seen)).toEqual([0, 0])
  })
})

describe('a copy is not copied again', () => {
  test('even when both nodes tee the group to each other', async () => {
    sender.diversions.add(rule())
    cluster.node('shadow').diversions.add(rule({ target: 'worker' }))
    await send(10, 20)
    await new Promise(resolve => setTimeout(resolve, 20))
    expect([worker.got.length, shadow.got.length]).toEqual([10, 10])
    expect(cluster.node('shadow').diversions.counts.teed).toBe(0)
  })
})

describe('what a process sends', () => {
  test('is under the rules of its node', async () => {
    class Speaker extends Server {
      override init() {
        this.cast({ group: 'room' }, 'from a process')
      }
    }
    sender.diversions.add(rule())
    sender.spawn(new Speaker())
    await until('both get it', () => worker.got.length + shadow.got.length === 2)
    expect(shadow.got).toEqual(['from a process'])
  })
})
