import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type ChildCommand, Children, type RestartPolicy } from '../../../ops/dev/children.ts'

const policy: RestartPolicy = { backoffMsMin: 20, backoffMsMax: 80, steadyMs: 60_000 }

/** Runs small scripts as if they were nodes. */
function childrenOf(
  scripts: Record<string, string>,
  restart = policy,
): { children: Children; logOf: (name: string) => string } {
  const directory = mkdtempSync(join(tmpdir(), 'wandist-children-'))
  const commands = Object.entries(scripts).map(
    ([node, script]): ChildCommand => ({
      node,
      program: '/bin/sh',
      args: ['-c', script],
      environment: { PATH: process.env.PATH },
      logFile: join(directory, `${node}.log`),
    }),
  )
  const children = new Children(commands, restart)
  onTestFinished(async () => {
    await children.stopAll(1_000)
    rmSync(directory, { recursive: true })
  })
  return { children, logOf: name => readFileSync(join(directory, `${name}.log`), 'utf8') }
}

const statusOf = (children: Children, node: string) => children.list().find(child => child.node === node)!
const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('children', () => {
  test('run with what they print in their log', async () => {
    const { children, logOf } = childrenOf({ one: 'echo hello; echo oops >&2; exec sleep 60' })
    children.startAll()
    expect(statusOf(children, 'one')).toMatchObject({ state: 'running', restarts: 0 })
    await vi.waitFor(() => expect(logOf('one')).toBe('hello\noops\n'))
  })

  test('that drained, which is exit 0, stay down until they are asked for', async () => {
    const { children } = childrenOf({ one: 'exit 0' })
    children.startAll()
    await vi.waitFor(() => expect(statusOf(children, 'one').state).toBe('stopped'))
    await new Promise(resolve => setTimeout(resolve, policy.backoffMsMax * 2))
    expect(statusOf(children, 'one')).toMatchObject({
      state: 'stopped',
      restarts: 0,
      lastEnd: 'exit 0',
      pid: undefined,
    })
    expect(children.start('one').state).toBe('running')
  })

  test('that are killed are started again', async () => {
    const { children } = childrenOf({ one: 'exec sleep 60' })
    children.startAll()
    const { pid } = statusOf(children, 'one')
    process.kill(pid!, 'SIGKILL')
    await vi.waitFor(() => expect(statusOf(children, 'one')).toMatchObject({ state: 'running', restarts: 1 }))
    expect(statusOf(children, 'one').lastEnd).toBe('signal SIGKILL')
    expect(statusOf(children, 'one').pid).not.toBe(pid)
  })

  test('that fail at once are tried again, more and more slowly', async () => {
    const { children, logOf } = childrenOf({ one: 'date +%s%3N; exit 3' })
    children.startAll()
    await vi.waitFor(() => expect(statusOf(children, 'one').restarts).toBeGreaterThanOrEqual(5), {
      timeout: 5_000,
    })
    const startsMs = logOf('one').trim().split('\n').map(Number)
    const gapsMs = startsMs.slice(1).map((atMs, index) => atMs - startsMs[index]!)
    expect(gapsMs[3]).toBeGreaterThanOrEqual(policy.backoffMsMax)
    expect(gapsMs[2]).toBeGreaterThanOrEqual(policy.backoffMsMin * 4)
  })

  test('that cannot be started at all are reported, not thrown', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'wandist-children-'))
    const log = join(directory, 'log')
    const children = new Children(
      [{ node: 'one', program: '/nowhere/sh', args: [], environment: {}, logFile: log }],
      policy,
    )
    children.startAll()
    await vi.waitFor(() => expect(statusOf(children, 'one').lastEnd).toMatch(/^not started: .*ENOENT/))
    await children.stopAll(100)
    rmSync(directory, { recursive: true })
  })

  test('stop when asked, and stay stopped', async () => {
    const { children, logOf } = childrenOf({
      one: 'trap "exit 5" TERM; echo ready; while :; do sleep 0.01; done',
      two: 'exec sleep 60',
    })
    children.startAll()
    const { pid } = statusOf(children, 'one')
    await vi.waitFor(() => expect(logOf('one')).toBe('ready\n'))
    expect(await children.stop('one')).toMatchObject({ state: 'stopped', restarts: 0 })
    expect(alive(pid!)).toBe(false)
    expect(statusOf(children, 'two').state).toBe('running')
  })

  test('that do not listen are killed after the bound', async () => {
    const { children, logOf } = childrenOf({ one: 'trap "" TERM; echo ready; while :; do sleep 0.01; done' })
    children.startAll()
    const { pid } = statusOf(children, 'one')
    await vi.waitFor(() => expect(logOf('one')).toBe('ready\n'))
    expect(await children.stop('one', 100)).toMatchObject({ state: 'stopped', lastEnd: 'signal SIGKILL' })
    expect(alive(pid!)).toBe(false)
  })

  test('are all gone after stopAll, also one that waits to be started again', async () => {
    const slow = { backoffMsMin: 60_000, backoffMsMax: 60_000, steadyMs: 60_000 }
    const { children } = childrenOf({ one: 'exec sleep 60', two: 'exit 1' }, slow)
    children.startAll()
    const pids = children.list().map(child => child.pid!)
    await vi.waitFor(() => expect(statusOf(children, 'two').state).toBe('backing-off'))
    await children.stopAll(1_000)
    expect(children.list().map(child => child.state)).toEqual(['stopped', 'stopped'])
    expect(pids.filter(alive)).toEqual([])
    expect(() => children.start('one')).toThrow('start one: everything is being stopped')
  })

  test('are started only when they are known and do not run', () => {
    const { children } = childrenOf({ one: 'exec sleep 60' })
    children.startAll()
    expect(() => children.start('two')).toThrow('no such node here: "two"')
    expect(() => children.start('one')).toThrow(/^start one: it runs, with pid \d+$/)
  })
})
