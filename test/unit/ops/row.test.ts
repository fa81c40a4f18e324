/** The status row: figures from two samples, and lines that stand under each other. */
import { describe, expect, test } from 'vitest'
import { countDelay, delayBucketsMs, delayQuantileMs } from '../../../ops/loop-watch.ts'
import { printRow, printRowHeader, printRowTime, rowOf } from '../../../ops/row.ts'
import type { Sample } from '../../../ops/sample.ts'

function sample(changes: Partial<Sample> = {}): Sample {
  const links = { nodes: 0, received: 0, written: 0, queueBytes: 0 }
  return {
    node: 'dc1-chat1',
    creation: 7,
    wallMs: Date.UTC(2024, 1, 25, 7, 30, 1),
    uptimeMs: 10_000,
    queueLength: 0,
    queueLengthMax: 0,
    queuesNotEmpty: 0,
    handled: 0,
    own: links,
    wan: links,
    dropped: 0,
    loop: {
      idleMs: 0,
      activeMs: 0,
      delayCounts: delayBucketsMs.map(() => 0).concat(0),
      delayMs: 0,
      gcRuns: 0,
    },
    residentBytes: 0,
    connections: 0,
    ...changes,
  }
}

const before = sample()
const after = sample({
  uptimeMs: 12_000,
  queueLength: 9,
  queueLengthMax: 5,
  queuesNotEmpty: 3,
  handled: 871_322,
  own: { nodes: 4, received: 443_618, written: 271_734, queueBytes: 65_536 },
  wan: { nodes: 5, received: 100, written: 200, queueBytes: 1_500 },
  dropped: 6,
  loop: {
    idleMs: 1_120,
    activeMs: 880,
    delayCounts: [99, 0, 0, 0, 1].concat(delayBucketsMs.slice(4).map(() => 0)),
    delayMs: 15,
    gcRuns: 30,
  },
  residentBytes: 166_808_000,
  connections: 1_234,
})

describe('the status row', () => {
  test('rates are per second of the time between two samples, levels are as they are', () => {
    expect(rowOf(before, after)).toEqual({
      node: 'dc1-chat1',
      timeMs: after.wallMs,
      nodes: 4,
      qlen: 9,
      qmax: 5,
      nzq: 3,
      recvPerS: 435_661,
      msginPerS: 221_809,
      msgoutPerS: 135_867,
      queueBytes: 65_536,
      waninPerS: 50,
      wanoutPerS: 100,
      wanNodes: 5,
      wanQueueBytes: 1_500,
      schedPercent: 44,
      eld99Ms: 1,
      gcPerS: 15,
      memBytes: 166_808_000,
      connections: 1_234,
      dropPerS: 3,
    })
  })

  test('without an earlier sample the rates are those since the start', () => {
    const row = rowOf(undefined, sample({ uptimeMs: 2_000, handled: 30, dropped: 4 }))
    expect([row.recvPerS, row.dropPerS]).toEqual([15, 2])
    expect(rowOf(undefined, after).schedPercent).toBe(44)
  })

  test('a restart between two samples is no negative rate', () => {
    const restarted = sample({ creation: 8, uptimeMs: 500, handled: 3 })
    expect(rowOf(after, restarted).recvPerS).toBe(6)
  })

  test('prints under the header of the slide', () => {
    const lines = [...printRowHeader('dc1-chat1', 'time'), printRow(rowOf(before, after), '02/25 07:30:01')]
    expect(lines).toEqual([
      'dc1-chat1      | own-- msg-------------------- dist--------------- wan---------------------- sched------ gc-- mem--- phones drop',
      'time           | nodes  qlen  qmax  nzq   recv  msgin msgout   kbq  wanin wanout nodes   kbq %util eld99 /sec tot Mb  conns /sec',
      '02/25 07:30:01 |     4     9     5    3 435661 221809 135867    66     50    100     5     2  44.0   1.0   15    167   1234    3',
    ])
  })

  test('is as wide whatever the figures are', () => {
    const [, header] = printRowHeader('dc1-chat1', 'time')
    for (const size of [0, 1, 99_999, 1e6, 123_456_789, 1e12, 1e18, Number.MAX_VALUE]) {
      const links = { nodes: size, received: size, written: size, queueBytes: size }
      const huge = sample({
        uptimeMs: 10_001,
        queueLength: size,
        queueLengthMax: size,
        queuesNotEmpty: size,
        handled: size,
        own: links,
        wan: links,
        dropped: size,
        residentBytes: size,
        connections: size,
      })
      expect(printRow(rowOf(before, huge), 'a-node-whose-name-does-not-fit')).toHaveLength(header.length)
    }
  })

  test('shortens what does not fit instead of cutting it', () => {
    const row = { ...rowOf(before, after), qlen: 123_456, recvPerS: 12_345_678, eld99Ms: 4_999.9 }
    expect(printRow(row, 'x')).toContain(' 123k ')
    expect(printRow(row, 'x')).toContain(' 12346k ')
    expect(printRow(row, 'x')).toContain('  5000 ')
  })

  test('the time is printed as on the slide', () => {
    const local = new Date(2024, 1, 25, 7, 30, 1)
    expect(printRowTime(local.getTime())).toBe('02/25 07:30:01')
  })
})

describe('the delay of the event loop', () => {
  test('the 99th percentile is read off within its bucket', () => {
    const counts = delayBucketsMs.map(() => 0).concat(0)
    counts[0] = 90
    counts[5] = 10
    expect(delayQuantileMs(counts, 0.5)).toBeCloseTo(50 / 90)
    expect(delayQuantileMs(counts, 0.95)).toBeCloseTo(20 + 30 / 2)
  })

  test('no ticks are no delay, and what is above all buckets reads as their end', () => {
    const counts = delayBucketsMs.map(() => 0).concat(0)
    expect(delayQuantileMs(counts, 0.99)).toBe(0)
    counts[counts.length - 1] = 1
    expect(delayQuantileMs(counts, 0.99)).toBe(5_000)
  })

  test('a block counts once for each tick that it swallowed', () => {
    const counts = delayBucketsMs.map(() => 0).concat(0)
    expect(countDelay(counts, 50)).toBe(50 + 30 + 10)
    expect(counts.slice(0, 6)).toEqual([0, 0, 0, 1, 0, 2])
  })
})
