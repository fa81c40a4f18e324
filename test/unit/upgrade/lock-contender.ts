/**
 * One of two processes that want the upgrade lock of a directory again and again, and die holding it, as far as the
 * other can see. Prints how often it held the lock, and how often the other one did at that moment.
 */
import { mkdirSync, readdirSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UpgradeLock } from '../../../ops/upgrade/lock.ts'

const [directory, dead] = process.argv.slice(2) as [string, string]
const ROUNDS_MAX = 2_000
const MS_MAX = 1_000
const witness = join(directory, 'held')
let held = 0
let beside = 0

// They begin together, however long it took to start them.
writeFileSync(join(directory, `ready-${process.pid}`), '')
while (readdirSync(directory).filter(name => name.startsWith('ready-')).length < 2);

const stopMs = performance.now() + MS_MAX
for (let round = 0; round < ROUNDS_MAX && performance.now() < stopMs; round += 1) {
  const lock = UpgradeLock.take(directory)
  if (typeof lock === 'number') continue
  held += 1
  try {
    mkdirSync(witness)
    const endMs = performance.now() + 0.2
    while (performance.now() < endMs);
    rmdirSync(witness)
  } catch {
    beside += 1
  }
  // The lock of a process that is gone, in one step.
  const left = join(directory, `left-${process.pid}`)
  writeFileSync(left, `${dead}\n`)
  renameSync(left, lock.path)
}
process.stdout.write(JSON.stringify({ held, beside }))
