/** What a stranger gets: the README's example runs as it stands, and the published package holds what it should. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { finished } from '../support/meta-cluster.ts'

const root = resolve(import.meta.dirname, '../..')
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))

async function example(): Promise<string> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  return /```ts\n(.*?)```/s.exec(readme)![1]!
}

const printed = 'hello bob, from a\n'

test('the README says what its example prints, and it does', async () => {
  const options = ['--conditions=wandist-source', '--input-type=module-typescript', '--eval', await example()]
  const run = await finished(spawn(process.execPath, options, { cwd: root, env: { PATH: process.env.PATH } }))
  expect(run).toEqual({ code: 0, stdout: printed, stderr: '' })
})

describe('the package', () => {
  let folder: string
  let files: readonly string[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'wandist-package-'))
    const pack = spawn('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root })
    const { code, stdout } = await finished(pack)
    expect(code).toBe(0)
    const [{ filename, files: packed }] = Object.values(JSON.parse(stdout)) as [
      { filename: string; files: { path: string }[] },
    ]
    files = packed.map(file => file.path)
    await finished(spawn('tar', ['-xzf', filename], { cwd: folder }))
    // Its dependencies are those of this checkout; the package itself is the packed one.
    await mkdir(join(folder, 'node_modules'))
    for (const name of await readdir(join(root, 'node_modules'))) {
      await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name))
    }
    await symlink(join(folder, 'package'), join(folder, 'node_modules/wandist'))
  }, 60_000)
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  test('holds JavaScript and its types, and little else', () => {
    const others = files.filter(file => !/^dist\/.*\.(js|d\.ts)$/.test(file))
    expect(others.toSorted()).toEqual([
      'LICENSE',
      'README.md',
      'dist/cluster-config/default.yaml',
      'dist/cluster-config/schema.json',
      'dist/ops/dev/lines.txt',
      'ops/cli/wand.js',
      'package.json',
    ])
    expect(files).toContain('dist/node/index.d.ts')
    expect(files.filter(file => /(^|\/)test\//.test(file))).toEqual([])
  })

  test('runs the example from plain JavaScript', async () => {
    const javascript = (await example()).replaceAll(/<string>|: string|override /g, '')
    const run = spawn(process.execPath, ['--input-type=module', '--eval', javascript], { cwd: folder })
    expect(await finished(run)).toEqual({ code: 0, stdout: printed, stderr: '' })
  })

  test('brings the wand command', async () => {
    const run = spawn(process.execPath, [join(folder, 'package/ops/cli/wand.js'), '--version'])
    const { code, stdout } = await finished(run)
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`wandist ${version}`) })
  })
})
