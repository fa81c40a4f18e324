/** `wand dev up` as a stranger runs it, with the smallest meta-cluster that has everything: two nodes, two datacenters. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { on, once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ChildStatus } from '../../../ops/dev/children.ts'
import { askDev } from '../../../ops/dev/control.ts'

const wandFile = resolve(import.meta.dirname, '../../../ops/cli/wand.js')
const patience = { timeout: 20_000, interval: 50 }

let directory: string
let runDirectory: string
let config: string
const started: ChildProcess[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'wandist-up-'))
  runDirectory = join(directory, 'run')
  config = join(directory, 'small.yaml')
  const net = `127.${randomInt(16, 250)}.${randomInt(0, 250)}`
  const node = (at: number) =>
    `{ datacenter: dc${at}, roles: [chat, mailbox, accounts], mesh: ${net}.${at}:7401, phones: ${net}.${at}:7501 }`
  writeFileSync(
    config,
    `id: small
nodes: { a: ${node(1)}, b: ${node(2)} }
services:
  mailbox: { partitions: 2, islands: { one: [a, b] } }
  accounts: { partitions: 1, islands: { one: [a, b] }, pin: reply }
`,
  )
})
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

/** Starts it; its temporary files go below the test's own directory, so that one sees what is left. */
function up(...args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [wandFile, 'dev', 'up', '--config', config, ...args], {
    env: { ...process.env, WAND_RUN_DIR: runDirectory, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  return child
}

async function finished(
  child: ChildProcess,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let [stdout, stderr] = ['', '']
  child.stdout!.on('data', chunk => {
    stdout += chunk
  })
  child.stderr!.on('data', chunk => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

/** Resolves when it has printed this. */
async function says(child: ChildProcess, text: string): Promise<void> {
  for await (const chunk of on(child.stdout!, 'data', { close: ['close'] }))
    if (String(chunk).includes(text)) return
  throw new Error(`ended without saying: ${text}`)
}

/** The processes of the nodes, once all of them run. */
async function pids(): Promise<readonly number[]> {
  return await vi.waitFor(async () => {
    const children: readonly ChildStatus[] = await askDev(runDirectory, { path: '/children' })
    expect(children.map(child => child.state)).toEqual(['running', 'running'])
    return children.map(child => child.pid!)
  }, patience)
}

/** Whether a process runs; one that ended and that nobody has asked about yet does not. */
function runs(pid: number): boolean {
  const stat = `/proc/${pid}/stat`
  return existsSync(stat) && !/\) Z /.test(readFileSync(stat, 'utf8'))
}

describe('wand dev up', { timeout: 60_000 }, () => {
  test('with --for and --json prints what became of every message, and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await finished(
      up('--for', '2s', '--phones', '20', '--seed', '7', '--json'),
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const counts = JSON.parse(stdout)
    expect(Object.keys(counts)).toEqual([
      'sent',
      'acked',
      'delivered',
      'lost',
      'duplicates',
      'outOfOrder',
      'crossDatacenter',
      'p50Ms',
      'p99Ms',
    ])
    expect(counts).toMatchObject({
      acked: counts.sent,
      delivered: counts.sent,
      lost: 0,
      duplicates: 0,
      outOfOrder: 0,
    })
    expect(counts.sent).toBeGreaterThan(5)
    expect(counts.crossDatacenter).toBeGreaterThan(0)
    expect(readdirSync(runDirectory)).toEqual([])
    expect(readdirSync(directory).toSorted()).toEqual(['run', 'small.yaml'])
  })

  test('starts a killed node again, and ends with everything on Ctrl-C', async () => {
    const run = up('--no-phones')
    const ended = finished(run)
    await says(run, 'all 2 nodes are ready')
    const [first] = await pids()
    process.kill(first!, 'SIGKILL')
    await vi.waitFor(async () => expect((await pids())[0]).not.toBe(first), patience)
    const second = await pids()
    run.kill('SIGINT')
    const { code, stdout, stderr } = await ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/a died \(signal SIGKILL\), it is started again/)
    expect(stdout).toMatch(/nothing left behind\n$/)
    expect(second.filter(runs)).toEqual([])
    expect(readdirSync(directory).toSorted()).toEqual(['run', 'small.yaml'])
  })

  test('takes its nodes along when it is killed', async () => {
    const run = up('--no-phones')
    await says(run, 'all 2 nodes are ready')
    const children = await pids()
    run.kill('SIGKILL')
    await vi.waitFor(() => expect(children.filter(runs)).toEqual([]), patience)
  })

  test('ends when a node dies before everything is up, and says which', async () => {
    const ended = finished(up('--no-phones'))
    const [, second] = await pids()
    process.kill(second!, 'SIGKILL')
    const { code, stderr } = await ended
    expect({ code, stderr }).toEqual({
      code: 69,
      stderr: expect.stringMatching(/^wand: dev up: run b: signal SIGKILL(: .+)?\n$/),
    })
    expect(readdirSync(directory).toSorted()).toEqual(['run', 'small.yaml'])
  })
})
