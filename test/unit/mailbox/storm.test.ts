/**
 * Storms: seeded runs in which halves are killed and started, links cut and healed, frames lost, and phones come and
 * go, while senders send. Afterwards everything is mended, and the books must balance.
 *
 * `MAILBOX_SEEDS=1000` runs more of them; `MAILBOX_SEED=7` runs one.
 */
import { describe, expect, test } from 'vitest'
import type { SendReply, StoredMessage } from '../../../node/services/mailbox/messages.ts'
import { type Half, type Island, Phone, startIsland } from './harness.ts'
import type { WorldNode } from './world.ts'

const users = ['ann', 'ben', 'cat'] as const
const seeds = process.env.MAILBOX_SEED
  ? [Number(process.env.MAILBOX_SEED)]
  : Array.from({ length: Number(process.env.MAILBOX_SEEDS ?? 12) }, (_, i) => i + 1)

/** What may happen in a storm. */
interface Weather {
  readonly name: string
  /** `one`: only while the other half is there and both are alike, so that no half ever has to serve with gaps. */
  readonly kills: 'none' | 'one' | 'any'
  readonly cuts: boolean
  readonly loss: number
  readonly acknowledge: 'replicated' | 'durable'
}

const weathers: readonly Weather[] = [
  { name: 'netsplits and lost frames', kills: 'none', cuts: true, loss: 0.02, acknowledge: 'replicated' },
  { name: 'one half killed at a time', kills: 'one', cuts: false, loss: 0, acknowledge: 'replicated' },
  { name: 'everything at once', kills: 'any', cuts: true, loss: 0.01, acknowledge: 'replicated' },
  { name: 'everything at once, durable', kills: 'any', cuts: true, loss: 0.01, acknowledge: 'durable' },
]

class Storm {
  readonly island: Island
  readonly #weather: Weather
  readonly phones = new Map<string, Phone>()
  /** By recipient: `from/number` of what senders were told is kept. */
  readonly acknowledged = new Map<string, Set<string>>()
  readonly sent = new Set<string>()
  /** By half and start: what it was told that the phone has. */
  readonly #erasedAt = new Map<WorldNode, Set<string>>()
  readonly wrong: string[] = []
  #calm = false
  #sending = 0

  constructor(island: Island, weather: Weather) {
    this.island = island
    this.#weather = weather
    const { world } = island
    world.onReceive = (node, message) => this.#watchReceive(node, message)
    world.onSend = (node, message) => this.#watchSend(node, message)
    world.loss = (source, target) => (source !== 'c' && target !== 'c' && !this.#calm ? weather.loss : 0)
    for (const user of users) this.phones.set(user, new Phone(island, user))
    island.chat.onGroupChange('mailbox/0', () => {
      for (const phone of this.phones.values()) if (phone.online) this.#attach(phone)
    })
  }

  async run(): Promise<void> {
    const { world } = this.island
    for (const user of users) void this.#sendForever(user)
    for (let step = 0; step < 60; step++) {
      this.#act()
      await world.pass(world.random() * 120)
    }
    this.#calm = true
    for (const half of ['a', 'b'] as const) if (!this.island.isRunning(half)) this.island.start(half)
    for (const [one, other] of ['ab', 'ac', 'bc']) world.heal(one!, other!)
    for (const phone of this.phones.values()) {
      phone.acknowledges = true
      if (!phone.online) this.#attach(phone)
    }
    const empty = { messages: 0, messageBytes: 0, tombstones: 0, unacknowledgedOps: 0 }
    const isEmpty = (half: Half) => {
      const stats = this.island.stats(half)
      return Object.keys(empty).every(name => stats[name as keyof typeof empty] === 0)
    }
    await world.until(() => this.#sending === 0 && isEmpty('a') && isEmpty('b'), 'both halves are empty')
    await world.pass(1_000)
    for (const half of ['a', 'b'] as const) expect(this.island.stats(half)).toMatchObject(empty)
    expect(this.island.serving).toBe('ab')
  }

  check(): void {
    let acknowledged = 0
    for (const [user, phone] of this.phones) {
      const shown = new Set(phone.shown.map(nameOf))
      const lost = [...(this.acknowledged.get(user) ?? [])].filter(name => !shown.has(name))
      expect(lost, `acknowledged and not shown to ${user}`).toEqual([])
      expect([...shown].filter(name => !this.sent.has(`${user}<${name}`))).toEqual([])
      // A half that had to serve alone cannot know what the other one, alone too, has shown: then its own order counts.
      const streams = this.#weather.kills === 'one' ? [phone.shown] : phone.attachments
      for (const stream of streams) expect(outOfOrder(stream), `out of order at ${user}`).toEqual([])
      acknowledged += shown.size
    }
    expect(acknowledged).toBeGreaterThan(20)
    expect(this.wrong).toEqual([])
  }

  #act(): void {
    const { world } = this.island
    const choice = world.random()
    const half = world.pick(['a', 'b'] as const)
    if (choice < 0.25 && this.#weather.cuts) {
      const [one, other] = world.pick(['ab', 'ab', 'ac', 'bc'])
      if (world.isUp(one!, other!)) world.cut(one!, other!)
      else world.heal(one!, other!)
    } else if (choice < 0.5 && this.#weather.kills !== 'none') {
      if (!this.island.isRunning(half)) this.island.start(half)
      else if (this.#mayDie(half)) this.island.kill(half)
    } else if (choice < 0.75) {
      const phone = world.pick([...this.phones.values()])
      if (phone.online) phone.detach()
      else this.#attach(phone)
    } else {
      const phone = world.pick([...this.phones.values()])
      phone.acknowledges = !phone.acknowledges
    }
  }

  /**
   * `replicated` survives the loss of one half. So a half may die when its disk has everything, or when the other one
   * is up and both have had the time to become alike.
   */
  #mayDie(half: Half): boolean {
    const other = half === 'a' ? 'b' : 'a'
    const { island } = this
    const alike =
      island.isRunning(other) &&
      island.world.isUp('a', 'b') &&
      island.serving === 'ab' &&
      island.service('a').stats.unacknowledgedOps === 0 &&
      island.service('b').stats.unacknowledgedOps === 0
    return alike || (this.#weather.kills === 'any' && island.store(half).stats.dirtyRecords === 0)
  }

  #attach(phone: Phone): void {
    phone.askAttach().then(
      () => {},
      () => this.island.world.at(50, () => phone.online && this.#attach(phone)),
    )
  }

  async #sendForever(from: string): Promise<void> {
    const { world } = this.island
    const phone = this.phones.get(from)!
    this.#sending += 1
    while (!this.#calm) {
      const to = world.pick(users)
      const number = phone.nextNumber()
      this.sent.add(`${to}<${from}/${number}`)
      let kept = false
      while (!kept) {
        const reply = (await phone.ask(to, `${from} to ${to}`, number).catch(() => undefined)) as
          | SendReply
          | undefined
        kept = reply !== undefined && 'level' in reply
        await new Promise<void>(resolve => void world.at(world.random() * 60, resolve))
      }
      const names = this.acknowledged.get(to) ?? new Set()
      this.acknowledged.set(to, names.add(`${from}/${number}`))
    }
    this.#sending -= 1
  }

  #watchReceive(node: WorldNode, message: unknown): void {
    const ack = message as { op?: string; user: string; items: [string, number][] }
    if (ack.op !== 'ack') return
    const erased = this.#erasedAt.get(node) ?? new Set()
    this.#erasedAt.set(node, erased)
    // It is in the queue now, and handled later in the same turn.
    this.island.world.at(0, () => {
      for (const [from, number] of ack.items) erased.add(`${ack.user}<${from}/${number}`)
    })
  }

  #watchSend(node: WorldNode, message: unknown): void {
    const deliver = message as { op?: string; messages: StoredMessage[] }
    if (deliver.op !== 'deliver') return
    const erased = this.#erasedAt.get(node)
    for (const one of deliver.messages) {
      const to = one.body.split(' to ')[1]
      if (erased?.has(`${to}<${nameOf(one)}`))
        this.wrong.push(`erased, and handed over again: ${nameOf(one)} to ${to}`)
    }
  }
}

function nameOf(message: StoredMessage): string {
  return `${message.from}/${message.number}`
}

/** What is not marked late and comes after a later one of the same sender. */
function outOfOrder(shown: readonly StoredMessage[]): string[] {
  const highest = new Map<string, number>()
  const wrong: string[] = []
  for (const message of shown) {
    const high = highest.get(message.from) ?? 0
    if (message.number < high && !message.late) wrong.push(`${nameOf(message)} after ${high}`)
    highest.set(message.from, Math.max(high, message.number))
  }
  return wrong
}

for (const weather of weathers) {
  describe(weather.name, () => {
    test.each(seeds)(
      'seed %i: nothing acknowledged is lost, nothing erased comes back, the order holds',
      async seed => {
        const { acknowledge } = weather
        const island = await startIsland({ seed, options: { acknowledge, mailboxMessagesMax: 1_000 } })
        const storm = new Storm(island, weather)
        await storm.run()
        storm.check()
      },
    )
  })
}
