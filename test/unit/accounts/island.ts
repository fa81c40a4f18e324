/**
 * An island of two nodes without a mesh: two runtimes, groups that both see while they are linked, and messages that
 * are copied from one to the other. Tests cut the link, crash a node, and start it again on what its disk has kept.
 */
import { makeLog } from '../../../node/log.ts'
import { Runtime } from '../../../node/runtime/runtime.ts'
import { Supervisor } from '../../../node/runtime/supervisor.ts'
import type { PinHook } from '../../../node/services/accounts/options.ts'
import { type AccountsService, startAccountsService } from '../../../node/services/accounts/service.ts'
import { MemoryDisk, openMemoryStore } from '../../../node/storage/memory-store.ts'
import { type Envelope, type Pid, RoutingError, type Target } from '../../../routing/index.ts'
import { realClock, realRandom, realTimers, Sent } from '../../../transport/index.ts'

export type Name = 'a' | 'b'

/** A node's half: `a` is the primary of the one partition. */
export interface Half {
  readonly runtime: Runtime
  readonly service: AccountsService
}

export class Island {
  readonly disks = { a: new MemoryDisk(), b: new MemoryDisk() }
  readonly pins = new Map<string, string>()
  readonly halves: Partial<Record<Name, Half>> = {}
  partnerWaitMs = 30
  /** False for nodes without a disk. */
  durable = true
  /** What both nodes' wall clocks show. */
  wallMs = 1_000_000
  pin: 'reply' | 'log' = 'log'
  /** Calls between the nodes, as `push 2 records` texts. */
  readonly calls: string[] = []
  /** While set, calls between the nodes are never answered; a cut ends them. */
  mute = false
  #linked = true
  #creation = 1
  readonly #groups = new Map<string, Pid[]>()
  readonly #watchers = new Set<() => void>()
  readonly #underWay = new Set<() => void>()

  /** Starts a node, or starts it again, on what its disk has kept. */
  start(name: Name): Half {
    const log = makeLog(name, 'silent')
    const runtime = new Runtime({
      node: name,
      creation: this.#creation++,
      clock: realClock,
      timers: realTimers,
      log,
      routing: {
        cast: (target, message, options) => this.#cast(name, target as Pid, message, options?.from),
        call: (target, message, options) => this.#call(name, target as Pid, message, options?.from),
        castAll: () => 0,
        update: () => {},
        join: (group, pid) => this.#regroup(group, pids => [...pids, pid]),
        leave: (group, pid) => this.#regroup(group, pids => pids.filter(other => !other.equals(pid))),
        leaveAll: pid => {
          for (const group of this.#groups.keys())
            this.#regroup(group, pids => pids.filter(other => !other.equals(pid)))
        },
        members: group => this.members(name, group),
      },
    })
    const supervisor = new Supervisor(runtime, {
      restartsMax: 0,
      periodMs: 1,
      onFailing: (_name, reason) => {
        throw new Error(`${name} failed: ${reason}`)
      },
    })
    const onPin: PinHook = (user, pin) => void this.pins.set(user, pin)
    const service = startAccountsService(
      {
        node: name,
        partner: name === 'a' ? 'b' : 'a',
        partitions: [0],
        primaryOf: () => 'a',
        // So slow to write behind that a crash loses whatever nobody has synced.
        store: openMemoryStore({
          disk: this.disks[name],
          options: { syncDelayMs: 600_000 },
          durable: this.durable,
        }),
        clock: { nowMs: realClock.nowMs, wallMs: () => this.wallMs },
        log,
        partnerWaitMs: this.partnerWaitMs,
        onGroupChange: (group, listener) => {
          const watch = () => listener(this.members(name, group))
          this.#watchers.add(watch)
          watch()
          return () => void this.#watchers.delete(watch)
        },
      },
      supervisor,
      { pin: this.pin, onPin, random: realRandom },
    )
    const half = { runtime, service }
    this.halves[name] = half
    return half
  }

  /** Ends a node without warning; what it had not synced is lost. */
  async crash(name: Name): Promise<void> {
    const { runtime } = this.halves[name]!
    delete this.halves[name]
    await runtime.stop('stop')
  }

  /** A netsplit begins. */
  cut(): void {
    this.#linked = false
    for (const fail of this.#underWay) fail()
    for (const watch of this.#watchers) watch()
  }

  /** It ends; resolves when both processes have heard of it. */
  async heal(): Promise<void> {
    this.#linked = true
    for (const watch of this.#watchers) watch()
    // Processes run at the end of the turn, and ours comes after theirs.
    await new Promise(resolve => setImmediate(resolve))
  }

  /** A group as a node sees it. */
  members(name: Name, group: string): readonly Pid[] {
    return (this.#groups.get(group) ?? []).filter(pid => this.#linked || pid.node === name)
  }

  serves(name: Name): boolean {
    return this.members(name, 'accounts/0').some(pid => pid.node === name)
  }

  /** Calls a node's partition, as a connection would. */
  ask(name: Name, message: unknown, fromNode = 'chat'): Promise<unknown> {
    const { runtime } = this.halves[name]!
    return deliver(runtime, runtime.whereis('accounts/0')!.self, message, undefined, fromNode)
  }

  /** Registers and confirms; returns the device and its key. */
  async enroll(name: Name, user: string): Promise<{ device: number; key: string }> {
    await this.ask(name, { op: 'register', user })
    return (await this.ask(name, { op: 'confirm', user, pin: this.pins.get(user) })) as {
      device: number
      key: string
    }
  }

  #regroup(group: string, change: (pids: Pid[]) => Pid[]): void {
    this.#groups.set(group, change(this.#groups.get(group) ?? []))
    for (const watch of this.#watchers) watch()
  }

  #reach(from: Name, pid: Pid): Runtime | undefined {
    const runtime = this.halves[pid.node as Name]?.runtime
    return this.#linked || pid.node === from ? runtime : undefined
  }

  #cast(from: Name, target: Pid, message: unknown, sender: Pid | undefined) {
    const runtime = this.#reach(from, target)
    if (!runtime) return Sent.noconnect
    const envelope = { isCall: false, message: structuredClone(message), from: sender, fromNode: from }
    runtime.deliver(target.index, {
      ...envelope,
      deadlineMs: Infinity,
      reply: () => {},
      refuse: () => {},
    } as Envelope)
    return Sent.ok
  }

  #call(from: Name, target: Target, message: unknown, sender: Pid | undefined): Promise<unknown> {
    const runtime = this.#reach(from, target as Pid)
    const noconnect = () => new RoutingError('noconnect', `call ${target}`)
    if (!runtime) return Promise.reject(noconnect())
    const { records } = message as { records: unknown[] }
    this.calls.push(`${from} pushes ${records.length}`)
    return new Promise((resolve, reject) => {
      const fail = () => reject(noconnect())
      this.#underWay.add(fail)
      if (this.mute) return
      deliver(runtime, target as Pid, structuredClone(message), sender, from)
        .then(resolve, reject)
        .finally(() => this.#underWay.delete(fail))
    })
  }
}

function deliver(
  runtime: Runtime,
  pid: Pid,
  message: unknown,
  from: Pid | undefined,
  fromNode: string,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const envelope: Envelope = {
      isCall: true,
      message,
      from,
      fromNode,
      deadlineMs: Number.POSITIVE_INFINITY,
      reply: value => resolve(structuredClone(value)),
      refuse: (code, detail) => reject(new Error(`${code}: ${detail}`)),
    }
    if (pid.creation !== runtime.creation || !runtime.deliver(pid.index, envelope))
      reject(new Error('noprocess'))
  })
}
