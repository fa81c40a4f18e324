import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseConfig } from '../../../cluster-config/index.ts'
import { readKeptCopy, writeKeptCopy } from '../../../cluster-config/kept-copy.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wandist-kept-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A configuration of this many nodes; large ones take more than one write of the disk. */
function text(nodes: number): string {
  const lines = Array.from({ length: nodes }, (_, i) => `  n${i}: { mesh: 127.0.0.1:${1 + i} }\n`)
  return `id: demo\nnodes:\n${lines.join('')}`
}

test('what was kept is read again, from a folder that was not there', async () => {
  const path = join(folder, 'deep', 'er', 'kept.yaml')
  await writeKeptCopy(path, text(2), 'consul://here/wandist/demo/config')
  expect(await readKeptCopy(path)).toEqual(parseConfig(text(2), 'published'))
  expect(await readFile(path, 'utf8')).toMatch(
    /^# Kept by wandist.*consul:\/\/here\/wandist\/demo\/config\nid: demo\n/,
  )
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test('a reader sees one whole copy or another, never part of one', async () => {
  const path = join(folder, 'whole.yaml')
  await writeKeptCopy(path, text(2), 'test')
  let writing = true
  const writer = (async () => {
    for (let i = 0; i < 20; i++) await writeKeptCopy(path, text(i % 2 === 0 ? 1_000 : 2), 'test')
    writing = false
  })()
  let reads = 0
  while (writing) {
    const config = await readKeptCopy(path)
    expect([2, 1_000]).toContain(Object.keys(config.nodes).length)
    reads += 1
  }
  await writer
  expect(reads).toBeGreaterThan(1)
})

test('a copy that cannot be put in place leaves nothing beside it', async () => {
  const path = join(folder, 'taken', 'kept.yaml')
  await mkdir(path, { recursive: true })
  await expect(writeKeptCopy(path, text(2), 'test')).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/)
  expect(await readdir(join(folder, 'taken'))).toEqual(['kept.yaml'])
})

test('a copy that somebody spoiled is refused at its line', async () => {
  const path = join(folder, 'spoiled.yaml')
  await writeFile(path, `# kept\n${text(1)}nonsense: 1\n`)
  await expect(readKeptCopy(path)).rejects.toThrow(`${path}:5:1: nonsense: unknown key`)
  await expect(readKeptCopy(join(folder, 'none.yaml'))).rejects.toMatchObject({ code: 'missing' })
})
