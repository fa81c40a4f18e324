import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { ChildStatus } from '../../../ops/dev/children.ts'
import { DevControl } from '../../../ops/dev/control.ts'
import { replaceByCommand, replaceInDev } from '../../../ops/upgrade/replace.ts'

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'wandist-replace-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

/** Whether a process runs; one that ended and that nobody has asked about yet does not. */
function runs(pid: number): boolean {
  const stat = `/proc/${pid}/stat`
  return existsSync(stat) && !/\) Z /.test(readFileSync(stat, 'utf8'))
}

describe('a replacement by command', () => {
  test('runs the command with the name of the node', async () => {
    const file = join(directory(), 'out')
    await replaceByCommand(`echo restart {node} of {node} > ${file}`, 5_000).replace('dc1-chat1')
    expect(readFileSync(file, 'utf8')).toBe('restart dc1-chat1 of dc1-chat1\n')
  })

  test('fails with the exit code', async () => {
    await expect(replaceByCommand('exit 3', 5_000).replace('a')).rejects.toThrow('exec "exit 3": exit 3')
    await expect(replaceByCommand('kill -9 $$', 5_000).replace('a')).rejects.toThrow(
      'exec "kill -9 $$": SIGKILL',
    )
  })

  test('does not wait for what the command leaves running', async () => {
    const file = join(directory(), 'out')
    await replaceByCommand(`(sleep 0.3; echo later > ${file}) > /dev/null 2>&1 &`, 5_000).replace('a')
    expect(existsSync(file)).toBe(false)
    await vi.waitFor(() => expect(existsSync(file)).toBe(true))
  })

  test('kills a command that hangs, and what it started', async () => {
    const file = join(directory(), 'pid')
    const hanging = replaceByCommand(`sleep 60 & echo $! > ${file}; wait`, 200).replace('a')
    await expect(hanging).rejects.toThrow(/not done after 0\.2 s$/)
    const pid = Number(readFileSync(file, 'utf8'))
    await vi.waitFor(() => expect(runs(pid)).toBe(false))
  })
})

describe('a replacement by dev up', () => {
  /** A dev.sock with one child, `a`, whose state a test changes. */
  async function devWith(child: { state: ChildStatus['state']; pid: number | undefined }) {
    const runDirectory = directory()
    const status = (): ChildStatus => ({ node: 'a', restarts: 0, lastEnd: undefined, logFile: '', ...child })
    const started: string[] = []
    const looks = { count: 0 }
    const control = await DevControl.listen(runDirectory, {
      children: {
        list: () => {
          looks.count += 1
          return [status()]
        },
        start: node => {
          started.push(node)
          return status()
        },
        stop: async () => status(),
        restart: async () => status(),
      },
      phones: () => ({ addresses: [], people: [] }),
    })
    onTestFinished(() => control.close())
    return { runDirectory, started, looks }
  }

  test('waits until the drained child has ended, then has it started', async () => {
    const child = { state: 'running' as ChildStatus['state'], pid: 1 as number | undefined }
    const { runDirectory, started } = await devWith(child)
    const dev = await replaceInDev(runDirectory, 5_000)
    await dev.prepare('a')
    const replacing = dev.replace('a')
    Object.assign(child, { state: 'stopped', pid: undefined })
    await replacing
    expect(started).toEqual(['a'])
  })

  test('leaves a child alone that was started again already', async () => {
    const child = { state: 'running' as ChildStatus['state'], pid: 1 }
    const { runDirectory, started } = await devWith(child)
    const dev = await replaceInDev(runDirectory, 5_000)
    await dev.prepare('a')
    child.pid = 2
    await dev.replace('a')
    expect(started).toEqual([])
  })

  test('gives up on a child that does not end', async () => {
    const { runDirectory } = await devWith({ state: 'running', pid: 7 })
    const dev = await replaceInDev(runDirectory, 50)
    await dev.prepare('a')
    await expect(dev.replace('a')).rejects.toThrow('its process has not ended: running, pid 7')
    await expect(dev.prepare('b')).rejects.toThrow('dev up has no such node: "b"')
    await expect(dev.replace('b')).rejects.toThrow('dev up has no such node: "b"')
  })

  test('does not take the process that drains for its successor, though an earlier one was there when the upgrade began', async () => {
    const child = { state: 'running' as ChildStatus['state'], pid: 1 as number | undefined }
    const { runDirectory, started, looks } = await devWith(child)
    const dev = await replaceInDev(runDirectory, 5_000)
    child.pid = 2
    await dev.prepare('a')
    const { count } = looks
    const replacing = dev.replace('a')
    await vi.waitFor(() => expect(looks.count).toBeGreaterThan(count))
    Object.assign(child, { state: 'stopped', pid: undefined })
    await replacing
    expect(started).toEqual(['a'])
  })

  test('is not to be had when no dev up runs', async () => {
    await expect(replaceInDev(directory(), 50)).rejects.toMatchObject({ code: 'absent' })
  })
})
