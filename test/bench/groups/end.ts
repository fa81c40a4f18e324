/** One node of wandist in a process of its own: `end.ts owner|other PORTS`; does what its parent orders, and answers with figures. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Process } from 'wandist'
import { median } from '../bench.ts'
import { groupNames, MemberNode } from './member-node.ts'
import { joinsPerTurn } from './parameters.ts'
import { measureMap, measureRoute } from './route.ts'

export type Order =
  /** Processes join, each its own group, and stay. */
  | { readonly do: 'fill'; readonly prefix: string; readonly count: number }
  /** Resolves when so many members of the other node are held. */
  | { readonly do: 'await-held'; readonly count: number }
  | { readonly do: 'join'; readonly count: number; readonly seconds: number }
  | { readonly do: 'join-and-say-when'; readonly count: number }
  | { readonly do: 'leave-again' }
  /** Resolves when so many are held and each has been looked at. */
  | { readonly do: 'await-held-and-look'; readonly count: number }
  | { readonly do: 'lookup'; readonly count: number; readonly seconds: number }
  /** Waits until the link, which this node breaks or the other one, is back and all is whole. */
  | { readonly do: 'heal'; readonly breaks: boolean; readonly prefix: string; readonly count: number }
  /** Starts to watch how long the event loop stands still; a monitor of all groups listens from then on. */
  | { readonly do: 'watch-stalls' }
  /** Resolves when nothing is held of the other node any more. */
  | { readonly do: 'await-death' }
  | { readonly do: 'spawn'; readonly count: number }
  | { readonly do: 'join-spawned' }
  /** Resolves to what this node holds, every group's list included. */
  | { readonly do: 'bytes' }
  | { readonly do: 'route'; readonly seconds: number }
  | { readonly do: 'map'; readonly seconds: number }

type Done = Readonly<Record<string, never>>
/** What is answered to each order; times are of the machine's clock. */
export interface Answers {
  readonly fill: Done
  readonly 'await-held': Done
  readonly join: { readonly rate: number; readonly lookedRate: number }
  readonly 'join-and-say-when': { readonly startMs: number }
  readonly 'leave-again': Done
  readonly 'await-held-and-look': { readonly nowMs: number }
  readonly lookup: { readonly rate: number }
  readonly heal: Healed
  readonly 'watch-stalls': Done
  readonly 'await-death': { readonly stallMs: number; readonly left: number }
  readonly spawn: Done
  readonly 'join-spawned': Done
  readonly bytes: { readonly bytes: number }
  readonly route: { readonly rate: number }
  readonly map: { readonly rate: number }
}

/** When a link was there again, when all members were, and when each had been looked at; ms of the machine's clock. */
export interface Healed {
  readonly linkedMs: number
  readonly wholeMs: number
  readonly lookedMs: number
}

const [name, ports] = process.argv.slice(2) as [string, string]
const self = await MemberNode.start(name, ports.split(','))
/** What the last order left for the next one. */
let joined: { readonly processes: readonly Process[]; readonly groups: readonly string[] } | undefined
let idle: readonly Process[] = []
let left = 0
const delay = monitorEventLoopDelay({ resolution: 1 })
const namesOf = new Map<string, readonly string[]>()

process.on('message', async (order: Order) => process.send!(await obey(order)))
process.on('disconnect', () => process.exit())
process.send!('ready')

async function obey(order: Order): Promise<Answers[Order['do']]> {
  switch (order.do) {
    case 'fill':
      await self.join(self.spawn(order.count), names(order.prefix, order.count))
      return {}
    case 'await-held':
      await self.awaitHeld(order.count)
      return {}
    case 'join':
      return await joinRates(order.count, order.seconds)
    case 'join-and-say-when': {
      joined ??= { processes: self.spawn(order.count), groups: names('a', order.count) }
      await nextTurn()
      const startMs = nowMs()
      await self.join(joined.processes, joined.groups)
      return { startMs }
    }
    case 'leave-again':
      await self.leave(joined!.processes, joined!.groups)
      return {}
    case 'await-held-and-look': {
      const groups = names('a', order.count)
      await self.awaitHeld(order.count)
      self.look(groups)
      return { nowMs: nowMs() }
    }
    case 'lookup':
      return { rate: await lookupRate(order.count, order.seconds) }
    case 'heal':
      if (order.breaks) self.breakLinks()
      return await watchHeal(order.prefix, order.count)
    case 'watch-stalls':
      self.node.registry.monitor(undefined, ({ pids }) => {
        left += pids.length
      })
      delay.enable()
      return {}
    case 'await-death':
      while (!self.holdsNothing()) await sleep(50)
      return { stallMs: delay.max / 1e6, left }
    case 'spawn':
      idle = self.spawn(order.count)
      return {}
    case 'join-spawned':
      for (const [at, process] of idle.entries()) {
        // The name belongs to the registry alone.
        process.join(`idle/${at}`)
        if (at % joinsPerTurn === joinsPerTurn - 1) await nextTurn()
      }
      return {}
    case 'bytes':
      return { bytes: await liveBytes() }
    case 'route':
      return { rate: await measureRoute(order.seconds) }
    case 'map':
      return { rate: await measureMap(order.seconds) }
  }
}

/** Medians over as many runs as there is time for; the first one warms up. */
async function joinRates(count: number, seconds: number): Promise<Answers['join']> {
  const processes = self.spawn(count)
  const groups = names('a', count)
  const [joinedMs, lookedMs]: [number[], number[]] = [[], []]
  let endMs = Number.POSITIVE_INFINITY
  while (joinedMs.length < 4 || nowMs() < endMs) {
    await nextTurn()
    const startMs = nowMs()
    await self.join(processes, groups)
    joinedMs.push(nowMs() - startMs)
    self.look(groups)
    lookedMs.push(nowMs() - startMs)
    await self.leave(processes, groups)
    if (joinedMs.length === 1) endMs = nowMs() + seconds * 1000
  }
  const rate = (times: readonly number[]) =>
    (count * 1000) / median(times.slice(1).sort((one, other) => one - other))
  return { rate: rate(joinedMs), lookedRate: rate(lookedMs) }
}

/** Lookups per second, in no order. */
async function lookupRate(count: number, seconds: number): Promise<number> {
  const groups = [...names('a', count)]
  await self.join(self.spawn(count), groups)
  for (let at = groups.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1))
    ;[groups[at], groups[other]] = [groups[other]!, groups[at]!]
  }
  const lookFor = (ms: number) => {
    const startMs = nowMs()
    let looked = 0
    for (; nowMs() < startMs + ms; looked += count) self.look(groups)
    return (looked / (nowMs() - startMs)) * 1000
  }
  lookFor(1000)
  return lookFor(seconds * 1000)
}

/** Waits for the link to break, to come back, and for all members to be there again. */
async function watchHeal(prefix: string, count: number): Promise<Healed> {
  const groups = names(prefix, count)
  while (self.isLinked) await nextTurn()
  while (!self.isLinked) await nextTurn()
  const linkedMs = nowMs()
  while (!self.holds(count)) await nextTurn()
  const wholeMs = nowMs()
  self.look(groups)
  return { linkedMs, wholeMs, lookedMs: nowMs() }
}

/** What is still held when each group has been looked at and the garbage collector has been twice. */
async function liveBytes(): Promise<number> {
  for (const group of self.node.registry.whichGroups()) self.node.registry.members(group)
  for (let pass = 0; pass < 2; pass++) {
    await nextTurn()
    globalThis.gc!()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Names are made before anything is measured, and only once. */
function names(prefix: string, count: number): readonly string[] {
  const key = `${prefix} ${count}`
  const known = namesOf.get(key) ?? groupNames(prefix, count)
  namesOf.set(key, known)
  return known
}

/** The machine's monotonic clock, which both processes read. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
