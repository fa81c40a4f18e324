/** wandist as its users have it: nodes from `startNode`, each in a process of its own (`end.ts`), new ones for each case. */
import { type ChildProcess, fork } from 'node:child_process'
import { type Figure, median, type RunOptions, type System } from '../../bench.ts'
import { freePorts } from '../../machine.ts'
import { said } from '../../transport/pair.ts'
import { type CaseName, caseNames, deathFigure, figuresOf, type Measured, routeFigure } from '../cases.ts'
import type { Answers, Healed, Order } from '../end.ts'
import { dyingMembers, members, membersBefore } from '../parameters.ts'

export const wandist: System = {
  name: 'wandist',
  unavailable: async () => undefined,
  async run(options) {
    const figures: Figure[] = []
    for (const name of caseNames.filter(options.wants)) {
      figures.push(...figuresOf({ [name]: await cases[name](options) }))
    }
    if (options.wants('death')) figures.push(deathFigure(await longestStall()))
    if (options.wants('route')) {
      using ends = await Ends.start(1)
      figures.push(routeFigure((await ends.owner({ do: 'route', seconds: options.seconds })).rate))
    }
    return figures
  },
}

const cases: { readonly [Name in CaseName]: (options: RunOptions) => Promise<Measured[Name]> } = {
  async join({ seconds }) {
    using ends = await Ends.start(1)
    return await ends.owner({ do: 'join', count: members, seconds })
  },

  async visible({ seconds }) {
    using ends = await Ends.start(2)
    const once = async () => {
      const seen = ends.other({ do: 'await-held-and-look', count: members })
      const { startMs } = await ends.owner({ do: 'join-and-say-when', count: members })
      const rate = (members / ((await seen).nowMs - startMs)) * 1000
      await ends.owner({ do: 'leave-again' })
      await ends.other({ do: 'await-held', count: 0 })
      return rate
    }
    return { rate: middle(await repeat(once, seconds)) }
  },

  async lookup({ seconds }) {
    using ends = await Ends.start(1)
    return await ends.owner({ do: 'lookup', count: members, seconds })
  },

  async heal({ seconds }) {
    using ends = await Ends.start(2)
    const count = members / 2
    await Promise.all([
      ends.owner({ do: 'fill', prefix: 'a', count }),
      ends.other({ do: 'fill', prefix: 'b', count }),
    ])
    const heal = async (): Promise<Measured['heal']> => {
      await Promise.all([ends.owner({ do: 'await-held', count }), ends.other({ do: 'await-held', count })])
      const both = [
        ends.owner({ do: 'heal', breaks: true, prefix: 'b', count }),
        ends.other({ do: 'heal', breaks: false, prefix: 'a', count }),
      ]
      return span(await Promise.all(both))
    }
    const heals = await repeat(heal, seconds)
    return {
      wholeMs: middle(heals.map(({ wholeMs }) => wholeMs)),
      lookedMs: middle(heals.map(({ lookedMs }) => lookedMs)),
    }
  },

  async memory() {
    using ends = await Ends.start(2)
    await ends.owner({ do: 'fill', prefix: 'before', count: membersBefore })
    await ends.other({ do: 'await-held', count: membersBefore })
    const [before, otherBefore] = [await ends.owner({ do: 'bytes' }), await ends.other({ do: 'bytes' })]
    await ends.owner({ do: 'spawn', count: members })
    const between = await ends.owner({ do: 'bytes' })
    await ends.owner({ do: 'join-spawned' })
    await ends.other({ do: 'await-held', count: membersBefore + members })
    const [after, otherAfter] = [await ends.owner({ do: 'bytes' }), await ends.other({ do: 'bytes' })]
    return {
      process: (after.bytes - before.bytes) / members,
      membership: (after.bytes - between.bytes) / members,
      other: (otherAfter.bytes - otherBefore.bytes) / members,
    }
  },
}

/** A node dies without a word, and the other one, where a monitor listens to all groups, forgets its members after the grace time. */
async function longestStall(): Promise<number> {
  using ends = await Ends.start(2)
  await ends.owner({ do: 'fill', prefix: 'a', count: dyingMembers })
  await ends.other({ do: 'await-held', count: dyingMembers })
  await ends.other({ do: 'watch-stalls' })
  ends.killOwner()
  const { stallMs, left } = await ends.other({ do: 'await-death' })
  if (left !== dyingMembers) throw new Error(`${left} of ${dyingMembers} members left`)
  return stallMs
}

/** The processes of one or two nodes; `using` ends them. */
export class Ends implements Disposable {
  readonly #children: readonly ChildProcess[]

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children
  }

  static async start(count: 1 | 2): Promise<Ends> {
    const ports = (await freePorts(count)).join()
    const children = ['owner', 'other'].slice(0, count).map(name =>
      fork(new URL('../end.ts', import.meta.url), [name, ports], {
        execArgv: ['--expose-gc', '--conditions=wandist-source', '--disable-warning=ExperimentalWarning'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      }),
    )
    const ends = new Ends(children)
    try {
      await Promise.all(children.map(said))
    } catch (error) {
      ends[Symbol.dispose]()
      throw error
    }
    return ends
  }

  owner<Name extends Order['do']>(order: Extract<Order, { do: Name }>): Promise<Answers[Name]> {
    return ask(this.#children[0]!, order)
  }

  other<Name extends Order['do']>(order: Extract<Order, { do: Name }>): Promise<Answers[Name]> {
    return ask(this.#children[1]!, order)
  }

  killOwner(): void {
    this.#children[0]!.kill('SIGKILL')
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }
}

async function ask<Name extends Order['do']>(
  child: ChildProcess,
  order: Extract<Order, { do: Name }>,
): Promise<Answers[Name]> {
  child.send(order)
  return (await said(child)) as Answers[Name]
}

/** As often as there is time for, three times at least; the first one warms up and is left out. */
async function repeat<T>(once: () => Promise<T>, seconds: number): Promise<readonly T[]> {
  await once()
  const results: T[] = []
  const endMs = performance.now() + seconds * 1000
  while (results.length < 3 || performance.now() < endMs) results.push(await once())
  return results
}

/** From the moment at which one node had the link again to the one at which the last was done. */
function span(ends: readonly Healed[]): Measured['heal'] {
  const linkedMs = Math.min(...ends.map(end => end.linkedMs))
  return {
    wholeMs: Math.max(...ends.map(end => end.wholeMs)) - linkedMs,
    lookedMs: Math.max(...ends.map(end => end.lookedMs)) - linkedMs,
  }
}

function middle(values: readonly number[]): number {
  return median(values.toSorted((one, other) => one - other))
}
