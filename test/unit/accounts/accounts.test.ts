import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pinTriesMax } from '../../../node/services/accounts/pins.ts'
import { MemoryDisk } from '../../../node/storage/memory-store.ts'
import { until } from '../storage/until.ts'
import { Island, type Name } from './island.ts'

describe('the accounts service', () => {
  let island: Island

  beforeEach(() => {
    island = new Island()
  })
  afterEach(async () => {
    for (const name of ['a', 'b'] as const) if (island.halves[name]) await island.crash(name)
  })

  const startBoth = async () => {
    island.start('a')
    island.start('b')
    await until(() => island.serves('a') && island.serves('b'), 'both nodes serve')
  }
  const verify = (name: Name, user: string, key: string) => island.ask(name, { op: 'verify', user, key })
  const allConfirmed = () =>
    until(
      () => Object.values(island.halves).every(half => half.service.stats.unconfirmed === 0),
      'all is confirmed',
    )

  describe('for a phone', () => {
    beforeEach(startBoth)

    it('registers a user, confirms with the PIN, and knows the key from then on, on both nodes', async () => {
      expect(await island.ask('a', { op: 'register', user: 'ann' })).toEqual({})
      expect(island.pins.get('ann')).toMatch(/^\d{6}$/)
      const confirm = { op: 'confirm', user: 'ann', pin: island.pins.get('ann') }
      const confirmed = (await island.ask('a', confirm)) as { key: string; device: number }
      expect(confirmed).toEqual({ key: expect.stringMatching(/^[\w-]{43}$/), device: 1 })
      expect(await verify('b', 'ann', confirmed.key)).toEqual({ device: 1, session: 1_000_000 })
      expect(await verify('a', 'ann', confirmed.key)).toMatchObject({ device: 1 })
    })

    it("ends the old phone's key when a new phone is confirmed", async () => {
      const old = await island.enroll('a', 'ann')
      const young = await island.enroll('b', 'ann')
      expect(young.device).toBeGreaterThan(old.device)
      for (const name of ['a', 'b'] as const) {
        expect(await verify(name, 'ann', old.key)).toEqual({ error: 'wrong-key' })
        expect(await verify(name, 'ann', young.key)).toMatchObject({ device: young.device })
      }
    })

    it('refuses with a value that says why', async () => {
      const { key } = await island.enroll('a', 'ann')
      const refusal = async (message: unknown) =>
        ((await island.ask('a', message)) as { error?: string }).error
      expect(await refusal({ op: 'register', user: 'ann ' })).toBe('bad-user')
      expect(await refusal({ op: 'register', user: 'x'.repeat(65) })).toBe('bad-user')
      expect(await refusal({ op: 'register', user: 7 })).toBe('bad-user')
      expect(await refusal(null)).toBe('bad-user')
      expect(await refusal({ op: 'confirm', user: 'bob', pin: '123456' })).toBe('unknown-user')
      expect(await refusal({ op: 'confirm', user: 'ann', pin: '123456' })).toBe('wrong-pin')
      expect(await refusal({ op: 'verify', user: 'bob', key })).toBe('unknown-user')
      expect(await refusal({ op: 'verify', user: 'ann', key: `${key}x` })).toBe('wrong-key')
      expect(await refusal({ op: 'verify', user: 'ann', key: undefined })).toBe('wrong-key')
      expect(await refusal({ op: 'of a later version', user: 'ann' })).toBe('unavailable')
      expect(await refusal({ op: 'verify', user: 'ann', key })).toBeUndefined()
    })

    it('bears five wrong PINs, counted over both nodes', async () => {
      await island.ask('a', { op: 'register', user: 'ann' })
      const pin = island.pins.get('ann')!
      const wrong = pin === '000000' ? '000001' : '000000'
      for (let tried = 0; tried < pinTriesMax; tried++) {
        const name = tried % 2 === 0 ? 'a' : 'b'
        expect(await island.ask(name, { op: 'confirm', user: 'ann', pin: wrong })).toEqual({
          error: 'wrong-pin',
        })
      }
      for (const name of ['a', 'b'] as const) {
        expect(await island.ask(name, { op: 'confirm', user: 'ann', pin })).toEqual({
          error: 'too-many-tries',
        })
        expect(await island.ask(name, { op: 'register', user: 'ann' })).toEqual({ error: 'too-many-tries' })
      }
    })

    it('confirms on one node the PIN that the other one made, once', async () => {
      await island.ask('a', { op: 'register', user: 'ann' })
      const confirm = { op: 'confirm', user: 'ann', pin: island.pins.get('ann') }
      expect(await island.ask('b', confirm)).toMatchObject({ device: 2 })
      expect(await island.ask('a', confirm)).toEqual({ error: 'wrong-pin' })
    })

    it('gives session numbers that grow, whatever the clock does and whichever node is asked', async () => {
      const { key } = await island.enroll('a', 'ann')
      let last = 0
      for (const [name, wallMs] of [
        ['a', 5_000],
        ['a', 1_000],
        ['b', 2_000],
        ['a', 9_000],
        ['b', 3_000],
      ] as const) {
        island.wallMs = wallMs
        const { session } = (await verify(name, 'ann', key)) as { session: number }
        expect(session).toBeGreaterThan(last)
        last = session
        await allConfirmed()
      }
    })
  })

  it('answers with the PIN only where it is told to', async () => {
    island.pin = 'reply'
    await startBoth()
    expect(await island.ask('a', { op: 'register', user: 'ann' })).toEqual({ pin: island.pins.get('ann') })
  })

  describe('hands out a key only when its record is safe', () => {
    it('at the partner, without waiting for a disk', async () => {
      await startBoth()
      const { key } = await island.enroll('a', 'ann')
      await island.crash('a')
      expect(await verify('b', 'ann', key)).toMatchObject({ device: 1 })
      expect(island.disks.a.calls.concat(island.disks.b.calls)).not.toContainEqual(
        expect.stringMatching('commit'),
      )
    })

    it('or fsynced here, with the partner away', async () => {
      island.start('a')
      await until(() => island.serves('a'), 'a serves alone')
      const open = island.disks.a.hold()
      let answered = false
      const enrolled = island.enroll('a', 'ann').then(answer => {
        answered = true
        return answer
      })
      await until(() => island.disks.a.calls.includes('commit accounts/0/ann'), 'the commit')
      expect(answered).toBe(false)
      open()
      const { key } = await enrolled
      await island.crash('a')
      island.start('a')
      await until(() => island.serves('a'), 'a serves again')
      expect(await verify('a', 'ann', key)).toMatchObject({ device: 1 })
    })

    it('or fsynced here, when the link goes while the partner is being told', async () => {
      await startBoth()
      await allConfirmed()
      await island.ask('a', { op: 'register', user: 'ann' })
      island.mute = true
      const confirming = island.ask('a', { op: 'confirm', user: 'ann', pin: island.pins.get('ann') })
      await until(() => island.calls.at(-1) === 'a pushes 1', 'a push')
      island.cut()
      expect(await confirming).toMatchObject({ device: 1 })
      expect(island.disks.a.calls).toContain('commit accounts/0/ann')
    })

    it('or not at all, where the only disk is memory', async () => {
      island.durable = false
      await startBoth()
      expect(await island.enroll('a', 'ann')).toMatchObject({ device: 1 })
      island.cut()
      expect(await island.enroll('a', 'bob')).toEqual({ error: 'unavailable' })
      await island.halves.a!.service.drain()
    })

    it('or not at all', async () => {
      island.start('a')
      await until(() => island.serves('a'), 'a serves alone')
      island.disks.a.failure = 'disk-full'
      expect(await island.enroll('a', 'ann')).toEqual({ error: 'unavailable' })
    })
  })

  describe('after a netsplit', () => {
    it('has the same accounts on both nodes, and one phone for a user whom both had confirmed', async () => {
      await startBoth()
      await island.enroll('a', 'ann')
      island.cut()
      const there = await island.enroll('b', 'ann')
      const here = await island.enroll('a', 'ann')
      const bob = await island.enroll('b', 'bob')
      expect(here.device).not.toBe(there.device)
      expect(await verify('a', 'bob', bob.key)).toEqual({ error: 'unknown-user' })
      await island.heal()
      await allConfirmed()
      const [kept, ended] = here.device > there.device ? [here, there] : [there, here]
      for (const name of ['a', 'b'] as const) {
        expect(await verify(name, 'ann', kept.key)).toMatchObject({ device: kept.device })
        expect(await verify(name, 'ann', ended.key)).toEqual({ error: 'wrong-key' })
        expect(await verify(name, 'bob', bob.key)).toMatchObject({ device: bob.device })
      }
    })

    it('sends what has changed, not everything', async () => {
      await startBoth()
      for (let index = 0; index < 20; index++) await island.enroll('a', `user${index}`)
      await allConfirmed()
      island.cut()
      await island.enroll('a', 'ann')
      const before = island.calls.length
      await island.heal()
      await allConfirmed()
      expect(island.calls.slice(before)).toEqual(['a pushes 1'])
    })
  })

  describe('as a node comes and goes', () => {
    it('serves only when it holds all that its partner held', async () => {
      await startBoth()
      await island.crash('b')
      const keys: string[] = []
      for (let index = 0; index < 600; index++) keys.push((await island.enroll('a', `user${index}`)).key)
      island.partnerWaitMs = 600_000
      island.start('b')
      await until(() => island.serves('b'), 'b serves')
      expect(island.halves.b!.service.stats.users).toBe(600)
      expect(await verify('b', 'user599', keys[599]!)).toMatchObject({ device: 1 })
    })

    it('gives a user who registers again after both nodes lost everything a device of a higher number', async () => {
      island.wallMs = Date.UTC(2026, 10, 20)
      await startBoth()
      const before = await island.enroll('a', 'ann')
      for (const name of ['a', 'b'] as const) {
        await island.crash(name)
        island.disks[name] = new MemoryDisk()
      }
      island.wallMs += 20 * 60_000
      await startBoth()
      expect((await island.enroll('a', 'ann')).device).toBeGreaterThan(before.device)
    })

    it('waits for a partner that is not there, and then serves alone', async () => {
      island.partnerWaitMs = 40
      const startedAtMs = performance.now()
      const { service } = island.start('a')
      await until(() => island.members('a', 'accounts/0/replica').length === 1, 'a can be found')
      expect(service.caughtUp).toBe(false)
      expect(island.serves('a')).toBe(false)
      await until(() => service.caughtUp, 'a serves alone')
      expect(performance.now() - startedAtMs).toBeGreaterThan(39)
      expect(island.serves('a')).toBe(true)
    })

    it('brings a partner that lost its memory back what it had confirmed', async () => {
      await startBoth()
      const { key } = await island.enroll('a', 'ann')
      await island.crash('b')
      island.start('b')
      await until(() => island.serves('b'), 'b serves again')
      expect(await verify('b', 'ann', key)).toMatchObject({ device: 1 })
    })

    it('offers each process once, however often it catches up', async () => {
      await startBoth()
      await island.enroll('a', 'ann')
      island.cut()
      await island.heal()
      await allConfirmed()
      expect(island.members('a', 'accounts/0')).toHaveLength(2)
    })

    it('drains: leaves its group, goes on answering, and hands everything to the partner', async () => {
      await startBoth()
      const { key } = await island.enroll('a', 'ann')
      void verify('a', 'ann', key)
      await island.halves.a!.service.drain()
      expect(island.serves('a')).toBe(false)
      expect(island.halves.a!.service.stats.unconfirmed).toBe(0)
      expect(await verify('a', 'ann', key)).toMatchObject({ device: 1 })
    })

    it('drains to its disk what a process that has failed had not told its partner', async () => {
      await startBoth()
      const { key } = await island.enroll('a', 'ann')
      await allConfirmed()
      island.mute = true
      await verify('a', 'ann', key)
      const { runtime, service } = island.halves.a!
      await runtime.whereis('accounts/0')!.end('stop')
      await service.drain()
      expect(island.disks.a.calls).toContain('commit accounts/0/ann')
    })

    it('drains to its disk when there is no partner, and says when that fails', async () => {
      const { service } = island.start('a')
      await until(() => island.serves('a'), 'a serves alone')
      const { key } = await island.enroll('a', 'ann')
      await verify('a', 'ann', key)
      await service.drain()
      expect(island.disks.a.calls.filter(call => call === 'commit accounts/0/ann')).toHaveLength(2)
      await verify('a', 'ann', key)
      island.disks.a.failure = 'disk-full'
      await expect(service.drain()).rejects.toMatchObject({ code: 'disk-full' })
    })
  })

  it('takes records from its partner only, and survives what is no record', async () => {
    await startBoth()
    const forged = { user: 'ann', device: 9, session: 0, keyHash: 'x'.repeat(43) }
    const push = { op: 'push', records: [forged], complete: true }
    expect(await island.ask('a', push)).toEqual({ error: 'unavailable' })
    const garbage = {
      op: 'push',
      records: [null, 7, { ...forged, device: -1 }, { ...forged, keyHash: 1 }],
      complete: true,
    }
    expect(await island.ask('a', garbage, 'b')).toEqual({ held: true })
    expect(island.halves.a!.service.stats.users).toBe(0)
  })
})
