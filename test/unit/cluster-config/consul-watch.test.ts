import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { backoffMs, pause } from '../../../cluster-config/backoff.ts'
import type { KeyAnswer } from '../../../cluster-config/consul-client.ts'
import { type AskKey, watchKey } from '../../../cluster-config/consul-watch.ts'

const timings = { gapMsMin: 0, retryMsMin: 1, retryMsMax: 4 }

/** An answer to give, with its index as its text; or a failure. */
type Scripted = number | Error

interface Transcript {
  /** The index that each question was asked with. */
  readonly asked: bigint[]
  /** What the watch told: the text of an answer, or a problem in brackets. */
  readonly told: (string | undefined)[]
}

/** Runs a watch against scripted answers, and stops it when they are used up. */
async function run(script: readonly Scripted[], timing = timings): Promise<Transcript> {
  const stopping = new AbortController()
  const asked: bigint[] = []
  const told: (string | undefined)[] = []
  const ask: AskKey = async index => {
    const next = script[asked.length]
    if (next === undefined) {
      stopping.abort()
      throw new Error('stopped')
    }
    asked.push(index)
    if (next instanceof Error) throw next
    return { index: BigInt(next), text: String(next) }
  }
  const events = {
    answer: ({ text }: KeyAnswer) => void told.push(text),
    problem: (message: string) => void told.push(`[${message}]`),
  }
  await watchKey(ask, events, timing, stopping.signal, () => 0)
  return { asked, told }
}

describe('the watch', () => {
  test('asks at once first, and then for what is newer', async () => {
    expect(await run([5, 5, 8])).toEqual({ asked: [0n, 5n, 5n], told: ['5', '5', '8'] })
  })

  test('asks at once again after a failure, since nothing says that what is in force is still current', async () => {
    expect(await run([5, new Error('gone'), 5])).toEqual({ asked: [0n, 5n, 0n], told: ['5', '[gone]', '5'] })
  })

  test('does not end, whatever fails and however often', async () => {
    const { told } = await run([...Array.from({ length: 30 }, () => new Error('HTTP 400')), 5])
    expect(told).toHaveLength(31)
    expect(told.at(-1)).toBe('5')
  })

  test('believes an index that went back only when it is given twice', async () => {
    expect(await run([9, 4, 9])).toEqual({ asked: [0n, 9n, 0n], told: ['9', '9'] })
    expect(await run([9, 4, 4, 6])).toEqual({ asked: [0n, 9n, 0n, 4n], told: ['9', '4', '6'] })
  })

  test('does not believe an old answer after a failure either', async () => {
    expect(await run([9, new Error('gone'), 4, 9])).toEqual({
      asked: [0n, 9n, 0n, 0n],
      told: ['9', '[gone]', '9'],
    })
  })

  test('never asks with index 0 on purpose, which would not block', async () => {
    expect((await run([0, 0, 0])).asked).toEqual([0n, 1n, 1n])
  })

  test('knows indexes above 2^53', async () => {
    const stopping = new AbortController()
    const asked: bigint[] = []
    const ask: AskKey = async index => {
      asked.push(index)
      if (asked.length === 3) stopping.abort()
      return { index: 9007199254740993n + BigInt(asked.length), text: '' }
    }
    await watchKey(ask, { answer() {}, problem() {} }, timings, stopping.signal)
    expect(asked).toEqual([0n, 9007199254740994n, 9007199254740995n])
  })

  test('leaves a gap between two questions, however fast the answers are', async () => {
    const beginMs = performance.now()
    await run([1, 2, 3, 4, 5], { ...timings, gapMsMin: 20 })
    expect(performance.now() - beginMs).toBeGreaterThanOrEqual(95)
  })

  test('ends when it is stopped in the middle of a question, or of a wait, and tells nothing of it', async () => {
    const asking = new AbortController()
    const ask: AskKey = (_, signal) => delay(60_000, undefined, { signal }) as never
    const fail = { answer: () => expect.unreachable(), problem: () => expect.unreachable() }
    const watching = watchKey(ask, fail, timings, asking.signal)
    setImmediate(() => asking.abort())
    await watching

    const waiting = new AbortController()
    const answers: AskKey = async () => ({ index: 1n, text: '' })
    const slow = watchKey(
      answers,
      { answer() {}, problem() {} },
      { ...timings, gapMsMin: 60_000 },
      waiting.signal,
    )
    setImmediate(() => waiting.abort())
    await slow
  })
})

describe('the time until the next try', () => {
  const bounds = (random: () => number) =>
    [1, 2, 3, 4, 5, 2_000].map(failures => backoffMs(failures, 100, 1_000, random))

  test('doubles at most, up to its limit', () => {
    expect(bounds(() => 1)).toEqual([200, 400, 800, 1_000, 1_000, 1_000])
  })

  test('is anywhere from the least time on, so that nodes do not come back together', () => {
    expect(bounds(() => 0)).toEqual([100, 100, 100, 100, 100, 100])
    expect(bounds(() => 0.5)).toEqual([150, 250, 450, 550, 550, 550])
  })

  test('is one fixed time when both limits are the same', () => {
    expect(backoffMs(3, 50, 50, () => 0.7)).toBe(50)
  })
})

test('a pause that is over before it begins is none', async () => {
  const stopped = AbortSignal.abort()
  await pause(60_000, stopped)
  await pause(0, new AbortController().signal)
  await pause(-5, new AbortController().signal)
})
