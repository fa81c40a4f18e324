import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
})
