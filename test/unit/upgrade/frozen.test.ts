/** A drain that is asked of a node which then freezes: `wand node drain` and `wand upgrade` end all the same. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { rows } from '../ops/cli-fixtures.ts'
import { wand } from '../ops/golden.ts'

/** A node that answers what it is asked, and whose drain stands still after `lines`. */
async function frozenNode(lines: readonly object[]): Promise<Record<string, string>> {
  const directory = mkdtempSync(join(tmpdir(), 'wand-'))
  const documents: Record<string, unknown> = {
    '/v1/self': { node: 'dc1-chat1', state: 'ready', version: '0.1.0', clusterId: 'demo', linked: 9 },
    '/v1/status': {
      nodes: rows.map(row => ({ ...row, linked: 9, peers: 9 })),
      links: { up: 90, configured: 90, down: [] },
      troubles: [],
    },
    '/v1/groups': [],
  }
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      for (const line of lines) response.write(`${JSON.stringify(line)}\n`)
      return
    }
    const data = documents[new URL(request.url!, 'http://fake').pathname] ?? null
    response.end(JSON.stringify({ data, complete: true, missing: [] }))
  })
  await new Promise<void>(resolve => server.listen(join(directory, 'dc1-chat1.sock'), resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
    rmSync(directory, { recursive: true })
  })
  return { WAND_RUN_DIR: directory }
}

/** Lets the bounds of drains, and only those, pass at once; returns them as they are given. */
function hurry(): number[] {
  const bounds: number[] = []
  const real = AbortSignal.timeout.bind(AbortSignal)
  const spy = vi.spyOn(AbortSignal, 'timeout').mockImplementation(ms => {
    if (ms < 20_000) return real(ms)
    bounds.push(ms)
    return real(100)
  })
  onTestFinished(() => spy.mockRestore())
  return bounds
}

const draining = { state: 'draining', left: { sessions: 12 } }

describe('a drain asked of a node that freezes', () => {
  test.for<[string, readonly object[]]>([
    ['before it has begun', []],
    ['on the way', [draining]],
  ])('ends wand node drain with 75, %s', async ([_when, lines]) => {
    const env = await frozenNode(lines)
    const bounds = hurry()
    const { exitCode, stderr } = await wand(['node', 'drain', 'dc2-chat1', '--deadline', '30s'], { env })
    expect(bounds).toEqual([45_000])
    expect(stderr.split('\n').at(-2)).toBe(
      'wand: drain dc2-chat1: dc1-chat1, which was asked, has said nothing of its end after 45s; it may still go on',
    )
    expect(exitCode).toBe(75)
  })

  test('halts wand upgrade with 75', async () => {
    const env = await frozenNode([])
    hurry()
    const { exitCode, stderr } = await wand(['upgrade', '--exec', 'true', '--order', 'dc2-chat1'], { env })
    expect(stderr).toMatch(
      /halted at dc2-chat1, 0 of 1 nodes replaced: drain dc2-chat1: dc1-chat1, which was asked, has said nothing/,
    )
    expect(exitCode).toBe(75)
  })
})
