import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testStoreOptions } from '../../../node/storage/options.ts'
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'
import type { Store } from '../../../node/storage/store.ts'
import { bytes, contents, patient, storeContract } from './store-contract.ts'
import { until } from './until.ts'

const makeDirectory = () => mkdtempSync(join(tmpdir(), 'wandist-store-'))
const remove = (directory: string) => rmSync(directory, { recursive: true, force: true })

/** Flips one bit of the first byte of `text` in the database file, as a rotting disk would. */
function flipBit(directory: string, text: string): void {
  const file = join(directory, 'store.db')
  const image = readFileSync(file)
  const at = image.indexOf(text)
  if (at < 0) throw new Error(`${text}: not in ${file}`)
  image[at]! ^= 1
  writeFileSync(file, image)
}

storeContract('the SQLite store', async () => {
  const directory = makeDirectory()
  return {
    open: options => openSqliteStore({ directory, options: { ...options, databaseBytesMax: 4 << 20 } }),
    damage: async () => flipBit(directory, 'a value to be damaged'),
    fillDisk: store => store.put('filler', new Uint8Array(4 << 20)),
    makeRoom: store => store.remove('filler'),
    dispose: async () => remove(directory),
  }
})

/** Starts the writing child in `directory`; `rounds` grows with what it says is synced. */
function startWriter(directory: string): {
  child: ChildProcess
  rounds: () => number
  ended: Promise<void>
  errors: () => string
} {
  const script = fileURLToPath(new URL('./crash-child.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=wandist-source', script, directory])
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', chunk => {
    output += chunk
  })
  child.stderr.setEncoding('utf8').on('data', chunk => {
    errors += chunk
  })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  return { child, ended, rounds: () => Number(output.trim().split('\n').at(-1)), errors: () => errors }
}

describe('the SQLite store', () => {
  let directory: string

  beforeEach(() => {
    directory = makeDirectory()
  })
  afterEach(() => remove(directory))

  it('makes its directory, for its owner only', async () => {
    const store = await openSqliteStore({ directory: join(directory, 'deep', 'mailbox') })
    expect(statSync(join(directory, 'deep', 'mailbox')).mode & 0o777).toBe(0o700)
    await store.close()
  })

  it('refuses a second opener in the same process, and the first does not notice', async () => {
    const store = await openSqliteStore({ directory })
    await expect(openSqliteStore({ directory })).rejects.toMatchObject({
      code: 'in-use',
      message: expect.stringContaining(`pid ${process.pid}`),
    })
    store.put('a', bytes('1'))
    await store.close()
    const again = await openSqliteStore({ directory })
    expect(await contents(again)).toEqual({ a: '1' })
    await again.close()
  })

  it('loses nothing that was synced when its process is killed, and its lock dies with it', async () => {
    let rounds = 0
    for (let life = 0; life < 3; life++) {
      const writer = startWriter(directory)
      await until(() => writer.rounds() > 20 + life * 7, 'synced rounds')
      expect(writer.errors()).toBe('')
      await expect(openSqliteStore({ directory })).rejects.toMatchObject({
        code: 'in-use',
        message: expect.stringContaining(`pid ${writer.child.pid}`),
      })
      writer.child.kill('SIGKILL')
      await writer.ended
      rounds = writer.rounds()

      const store = await openSqliteStore({ directory, options: patient })
      const found = await contents(store)
      for (let round = 1; round <= rounds; round++) {
        for (let index = 1; index < 5; index++) expect(found[`${round}/${index}`]).toBe(`${round}`)
        if (round < rounds) expect(found[`${round}/0`]).toBeUndefined()
      }
      expect(store.stats.damagedRecords).toBe(0)
      await store.close()
    }
  })

  it('writes no log of what it did: a commit that changes nothing leaves the files as they are', async () => {
    const store = await openSqliteStore({ directory, options: patient })
    store.put('a', bytes('1'))
    await store.sync()
    const before = readFileSync(join(directory, 'store.db-wal'))
    store.put('b', bytes('fetched soon'))
    store.remove('b')
    await store.sync()
    expect(Buffer.compare(readFileSync(join(directory, 'store.db-wal')), before)).toBe(0)
    await store.close()
    expect(readdirSync(directory).sort()).toEqual(['pid', 'store.db'])
  })

  it('refuses a database of a later format, and a file that is none', async () => {
    const database = new DatabaseSync(join(directory, 'store.db'))
    database.exec('PRAGMA user_version = 99')
    database.close()
    await expect(openSqliteStore({ directory })).rejects.toMatchObject({
      code: 'io-error',
      message: expect.stringContaining('format 99'),
    })
    writeFileSync(join(directory, 'store.db'), 'this is not a database, whatever its name says'.repeat(100))
    await expect(openSqliteStore({ directory })).rejects.toMatchObject({ code: 'io-error' })
  })

  it('says io-error for a directory that cannot be', async () => {
    writeFileSync(join(directory, 'file'), '')
    await expect(openSqliteStore({ directory: join(directory, 'file', 'store') })).rejects.toMatchObject({
      code: 'io-error',
    })
  })
})

function mountTiny(directory: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', directory], { stdio: 'ignore' })
}

function canMount(): boolean {
  const directory = makeDirectory()
  try {
    mountTiny(directory)
    execFileSync('umount', [directory])
    return true
  } catch {
    return false
  } finally {
    remove(directory)
  }
}

describe.skipIf(!canMount())('the SQLite store on a disk that is really full', () => {
  let mounted: string
  let store: Store

  beforeEach(() => {
    mounted = makeDirectory()
    mountTiny(mounted)
  })
  afterEach(async () => {
    await store.close()
    execFileSync('umount', [mounted])
    remove(mounted)
  })

  it('refuses to sync, goes on loading, and has lost nothing acknowledged once there is room', async () => {
    const options = { ...testStoreOptions, dirtyBytesLimit: 1 << 20 }
    store = await openSqliteStore({ directory: join(mounted, 'store'), options })
    let synced = 0
    let failure: unknown
    while (failure === undefined && synced < 100) {
      store.put(`k${synced}`, new Uint8Array(20_000).fill(synced))
      failure = await store.sync().then(
        () => void synced++,
        error => error,
      )
    }
    expect(failure).toMatchObject({ code: 'disk-full' })
    expect(synced).toBeGreaterThan(0)
    expect(await store.load('k')).toHaveLength(synced + 1)

    execFileSync('mount', ['-o', 'remount,size=8m', mounted])
    await until(() => store.stats.failed === undefined, 'recovery')
    await store.close()
    store = await openSqliteStore({ directory: join(mounted, 'store') })
    const records = await store.load('k')
    expect(records).toHaveLength(synced + 1)
    for (const [key, value] of records) expect(value.every(byte => `k${byte}` === key)).toBe(true)
  })
})
