/**
 * Incidents on the wire: three real nodes on real sockets, one bad line between two of them, and a third that must not notice.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Sent } from '../../node/index.ts'
import { LAN, TEST } from '../../transport/index.ts'
import { FaultyNodes, textOf } from '../support/faulty-nodes.ts'
import { until } from '../support/meta-cluster.ts'

const names = ['a', 'b', 'c']

/** Does `act` every `everyMs` until `ms` have passed, or a promise settles. */
async function meanwhile(ms: number, everyMs: number, act: () => void): Promise<void> {
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    act()
    await sleep(everyMs)
  }
}

/** How long answers between a healthy pair take while something else goes on, sorted, ms. @throws when one does not come */
async function answers(nodes: FaultyNodes, from: string, to: string, ms: number): Promise<number[]> {
  const times: number[] = []
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    times.push(await nodes.ask(from, to))
    await sleep(5)
  }
  return times.sort((one, other) => one - other)
}

const median = (sorted: readonly number[]) => sorted[Math.floor(sorted.length / 2)]!

describe.concurrent('between two of three nodes', { timeout: 60_000 }, () => {
  test('250 ms one way and 5 ms the other, with as much jitter: no false down, nothing lost, order kept', async () => {
    await using nodes = await FaultyNodes.start(names, { timing: 'lan' })
    nodes.fault('a', 'b', { latencyMs: 250, jitterMs: 250 })
    nodes.fault('b', 'a', { latencyMs: 5, jitterMs: 5 })
    await meanwhile(6_000, 20, () => {
      expect(nodes.post('a', 'b')).toBe(Sent.ok)
      expect(nodes.post('b', 'a')).toBe(Sent.ok)
    })
    await until('all letters are there', () =>
      [nodes.inbox('b').numbersOf('a').length, nodes.inbox('a').numbersOf('b').length].every(
        count => count === nodes.posted('a', 'b'),
      ),
    )
    const inOrder = Array.from({ length: nodes.posted('a', 'b') }, (_, number) => number)
    expect(nodes.inbox('b').numbersOf('a')).toEqual(inOrder)
    expect(nodes.inbox('a').numbersOf('b')).toEqual(inOrder)
    expect(nodes.events).toEqual([])
    expect(await nodes.ask('a', 'b')).toBeGreaterThan(255)
  })

  test('10 kB/s: the queue is bounded, refusals are counted, and the other peer does not notice', async () => {
    await using nodes = await FaultyNodes.start(names, { timing: 'test' })
    const before = median(await answers(nodes, 'a', 'c', 500))
    const peer = nodes.node('a').mesh.peer('b')!
    const refusedBefore = peer.ledger.ordinary.refusedNosuspend
    nodes.fault('a', 'b', { bytesPerSecond: 10_000 })
    let refused = 0
    let queueBytesHigh = 0
    const flood = meanwhile(4_000, 5, () => {
      for (let count = 0; count < 40; count++) if (nodes.post('a', 'b', 4_000) === Sent.nosuspend) refused++
      queueBytesHigh = Math.max(queueBytesHigh, peer.queueBytes)
    })
    const during = await answers(nodes, 'a', 'c', 3_500)
    await flood
    expect(refused).toBeGreaterThan(100)
    expect(peer.ledger.ordinary.refusedNosuspend - refusedBefore).toBe(refused)
    expect(queueBytesHigh).toBeGreaterThan(TEST.queueBytesMax / 2)
    expect(queueBytesHigh).toBeLessThanOrEqual(TEST.queueBytesMax)
    expect(median(during)).toBeLessThan(before * 1.25 + 5)
    expect(during.length).toBeGreaterThan(100)
    expect(nodes.events.filter(event => event.includes('c'))).toEqual([])
  })

  test('a black hole one way, for ever: both sides are down once, nothing flaps, and it heals', async () => {
    await using nodes = await FaultyNodes.start(names, { timing: 'lan' })
    nodes.fault('a', 'b', { blackHole: true })
    await until('both are down', () =>
      ['a', 'b'].every(at => nodes.endings(at, 'b').length + nodes.endings(at, 'a').length > 0),
    )
    const healthy = answers(nodes, 'a', 'c', 8_000)
    await answers(nodes, 'b', 'c', 8_000)
    await healthy
    expect(nodes.events.sort()).toEqual(['a: leave b', 'b: leave a'])
    nodes.fault('a', 'b', {})
    await until('they are together again', () => nodes.together('a', 'b'))
    await nodes.ask('a', 'b')
  })

  test('half-open, without a word: down between 0.67 and 1.33 of the heartbeat timeout', async () => {
    await using nodes = await FaultyNodes.start(names, { timing: 'lan' })
    const startMs = performance.now()
    nodes.faultBoth('a', 'b', { blackHole: true })
    const downMs: Record<string, number> = {}
    while (Object.keys(downMs).length < 2 && performance.now() - startMs < 10_000) {
      for (const [from, to] of [
        ['a', 'b'],
        ['b', 'a'],
      ] as const)
        if (!nodes.node(from).mesh.peer(to)!.linked) downMs[from] ??= performance.now() - startMs
      await sleep(5)
    }
    for (const at of ['a', 'b']) {
      expect(downMs[at]).toBeGreaterThan(LAN.heartbeatTimeoutMs * 0.67)
      expect(downMs[at]).toBeLessThan(LAN.heartbeatTimeoutMs * 1.33)
    }
    expect(nodes.endings('a', 'b')).toContain('heartbeat-timeout')
    // Until the grace has run out the members are only suspect.
    expect(nodes.events).toEqual([])
    await sleep(LAN.heartbeatTimeoutMs)
    expect(nodes.events.sort()).toEqual(['a: leave b', 'b: leave a'])
  })

  test('bits that turn over: links end with a reason and come back, and the third node does not notice', async () => {
    await using nodes = await FaultyNodes.start(names, { timing: 'test', seed: 5 })
    nodes.fault('a', 'b', { flipEveryBytes: 300 })
    await meanwhile(3_000, 2, () => {
      nodes.post('a', 'b')
      nodes.post('a', 'c')
    })
    expect(
      nodes.dials('a', 'b').flippedBits('there') + nodes.dials('b', 'a').flippedBits('back'),
    ).toBeGreaterThan(10)
    const reasons = [...nodes.endings('a', 'b'), ...nodes.endings('b', 'a')]
    expect(reasons).toContain('bad-frame')
    expect(reasons).not.toContain('unknown')
    nodes.fault('a', 'b', {})
    // A registry frame that was damaged stays missing as long as its link lives (test/unit/hostile/corruption.test.ts).
    nodes.reset('a', 'b')
    const answers = (from: string, to: string) => nodes.ask(from, to).then(Boolean, () => false)
    await until('they hear each other again', async () => (await answers('a', 'b')) && answers('b', 'a'))
    await until('c has all', () => nodes.inbox('c').numbersOf('a').length === nodes.posted('a', 'c'))
    expect(nodes.events.filter(event => event.includes('c'))).toEqual([])
  })

  test('a storm of resets: what arrives is in order and comes once, and the links come back', async () => {
    await using nodes = await FaultyNodes.start(names, { timing: 'test' })
    let ticks = 0
    await meanwhile(3_000, 5, () => {
      nodes.post('a', 'b')
      nodes.post('b', 'a')
      nodes.post('a', 'c')
      if (ticks++ % 20 === 0) nodes.reset('a', 'b')
    })
    await until('they are together again', () => nodes.together('a', 'b'))
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const got = nodes.inbox(to).numbersOf(from)
      expect(got.length).toBeGreaterThan(20)
      expect(got).toEqual([...new Set(got)].sort((one, other) => one - other))
      for (const { number, text } of nodes.inbox(to).letters.filter(letter => letter.from === from))
        expect(text).toBe(textOf(from, number))
    }
    await until('c has all', () => nodes.inbox('c').numbersOf('a').length === nodes.posted('a', 'c'))
    await until('nothing stays open', () => names.every(name => nodes.node(name).mesh.openLinks === 2))
  })

  test('a peer that is cut off after every message is dialled ever more rarely, until it is well', async () => {
    await using nodes = await FaultyNodes.start(names, { timing: 'lan' })
    nodes.faultBoth('a', 'b', { limitBytes: 400 })
    nodes.reset('a', 'b')
    const dials = () => nodes.dials('a', 'b').accepted + nodes.dials('b', 'a').accepted
    const before = dials()
    const healthy = answers(nodes, 'a', 'c', 6_000)
    await meanwhile(6_000, 20, () => nodes.post('a', 'b'))
    await healthy
    // Full jitter from 100 ms to 5 s, from both sides: 16 are expected, without back-off it would be hundreds.
    expect(dials() - before).toBeGreaterThan(3)
    expect(dials() - before).toBeLessThan(40)
    nodes.faultBoth('a', 'b', {})
    await until('they are together again', () => nodes.together('a', 'b'))
    expect(nodes.events.filter(event => event.includes('c'))).toEqual([])
  })
})
