import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { UpgradeLock } from '../../../ops/upgrade/lock.ts'

function runDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'wandist-lock-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

describe('the upgrade lock', () => {
  test('is held by one, and free again afterwards', () => {
    const directory = runDirectory()
    {
      using lock = UpgradeLock.take(directory) as UpgradeLock
      expect(existsSync(lock.path)).toBe(true)
      expect(UpgradeLock.take(directory)).toBe(process.pid)
    }
    const again = UpgradeLock.take(directory)
    expect(again).toBeInstanceOf(UpgradeLock)
  })

  test('of a killed upgrade, or with nonsense in it, is taken over', () => {
    const directory = runDirectory()
    const dead = spawnSync('/bin/true').pid
    for (const text of [`${dead}\n`, 'nonsense', '']) {
      writeFileSync(join(directory, 'upgrade.lock'), text)
      using lock = UpgradeLock.take(directory) as UpgradeLock
      expect(lock).toBeInstanceOf(UpgradeLock)
    }
  })
  test('names its process from the moment that it is there, and leaves nothing beside it', () => {
    const directory = runDirectory()
    writeFileSync(join(directory, 'upgrade.lock'), 'left')
    {
      using lock = UpgradeLock.take(directory) as UpgradeLock
      expect(lock).toBeInstanceOf(UpgradeLock)
      expect(readdirSync(directory)).toEqual(['upgrade.lock'])
    }
    expect(readdirSync(directory)).toEqual([])
  })

  test('is never held by two, however often two processes find what a third has left', async () => {
    const directory = runDirectory()
    const dead = spawnSync('/bin/true').pid
    writeFileSync(join(directory, 'upgrade.lock'), `${dead}\n`)
    const contender = join(import.meta.dirname, 'lock-contender.ts')
    const run = async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [contender, directory, `${dead}`])
      return JSON.parse(stdout) as { held: number; beside: number }
    }
    const [one, other] = await Promise.all([run(), run()])
    expect([one.beside, other.beside]).toEqual([0, 0])
    expect(Math.min(one.held, other.held)).toBeGreaterThan(0)
  })
})
