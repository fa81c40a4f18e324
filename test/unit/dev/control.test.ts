import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ChildError, type ChildStatus } from '../../../ops/dev/children.ts'
import { askDev, type Controlled, DevControl } from '../../../ops/dev/control.ts'

function runDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'wandist-control-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

const phones = { addresses: ['127.0.0.2:7511'], people: ['alice', 'bob'] }
const status: ChildStatus = {
  node: 'dc1-chat1',
  state: 'running',
  pid: 4711,
  restarts: 0,
  lastEnd: undefined,
  logFile: '/tmp/log',
}

function controlled(asked: string[] = []): Controlled {
  const act = (what: string) => (node: string) => {
    if (node !== status.node) throw new ChildError('unknown-node', `no such node here: "${node}"`)
    asked.push(`${what} ${node}`)
    return status
  }
  return {
    children: {
      list: () => [status],
      start: act('start'),
      stop: async node => act('stop')(node),
      restart: async node => act('restart')(node),
    },
    phones: () => phones,
  }
}

async function listening(directory: string, asked: string[] = []): Promise<DevControl> {
  const control = await DevControl.listen(directory, controlled(asked))
  onTestFinished(() => control.close())
  return control
}

describe('dev.sock', () => {
  test('lists the children and the people', async () => {
    const directory = runDirectory()
    await listening(directory)
    expect(await askDev(directory, { path: '/children' })).toEqual([JSON.parse(JSON.stringify(status))])
    expect(await askDev(directory, { path: '/phones' })).toEqual(phones)
  })

  test('starts, stops and restarts a child', async () => {
    const directory = runDirectory()
    const asked: string[] = []
    await listening(directory, asked)
    for (const path of ['/start', '/stop', '/restart'] as const) {
      expect(await askDev(directory, { path, node: 'dc1-chat1' })).toMatchObject({ node: 'dc1-chat1' })
    }
    expect(asked).toEqual(['start dc1-chat1', 'stop dc1-chat1', 'restart dc1-chat1'])
  })

  test('refuses an unknown node with what is wrong', async () => {
    const directory = runDirectory()
    await listening(directory)
    await expect(askDev(directory, { path: '/start', node: 'dc9-chat1' })).rejects.toMatchObject({
      code: 'refused',
      message: 'ask dev up: no such node here: "dc9-chat1"',
    })
  })

  test('is for this user only', async () => {
    const { path } = await listening(runDirectory())
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('refuses a second run while the first lives', async () => {
    const directory = runDirectory()
    const first = await listening(directory)
    await expect(DevControl.listen(directory, controlled())).rejects.toMatchObject({
      code: 'in-use',
      message: `start: another wand dev up runs already: ${first.path} (a second one needs --run-dir and --config)`,
    })
    expect(await askDev(directory, { path: '/phones' })).toEqual(phones)
  })

  test('takes the place of a run that was killed', async () => {
    const directory = runDirectory()
    writeFileSync(join(directory, 'dev.sock'), '')
    await listening(directory)
    expect(await askDev(directory, { path: '/phones' })).toEqual(phones)
  })

  test('goes with its run', async () => {
    const directory = runDirectory()
    const control = await DevControl.listen(directory, controlled())
    await control.close()
    expect(existsSync(control.path)).toBe(false)
    await expect(askDev(directory, { path: '/children' })).rejects.toMatchObject({ code: 'absent' })
  })

  test('answers nonsense with an error, and goes on', async () => {
    const directory = runDirectory()
    const { path } = await listening(directory)
    const post = (url: string, body: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const asking = request({ socketPath: path, path: url, method: 'POST' }, response => {
          response.resume()
          resolve(response.statusCode)
        })
        asking.on('error', reject)
        asking.end(body)
      })
    expect(await post('/start', 'nonsense')).toBe(400)
    expect(await post('/start', '{"node": 5}')).toBe(400)
    expect(await post('/start', '"')).toBe(400)
    expect(await post('/start', 'null')).toBe(400)
    expect(await post('/explode', '{}')).toBe(404)
    expect(await post('/start', `"${'x'.repeat(100_000)}"`)).toBe(409)
    expect(await askDev(directory, { path: '/phones' })).toEqual(phones)
  })
})
