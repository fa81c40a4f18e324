/**
 * A script of what happens to two to four nodes with process groups, drawn from a seed, and the story that running it tells.
 *
 *   script   a b c;join a a1 red;cut a b;leave a a1 red;heal a b;kill c c2;crash b;settle;start b
 *   story    join a a1 red: ok         one line for each join and leave, with what it returned
 *            a sees red: a1 c2 / a1    in the end, one line for each node and group: all members, and its own ones
 *
 * Whoever runs a script settles at its end. Two systems agree on it when their stories are the same.
 */
import { seededRandom } from '../unit/transport/manual-clock.ts'

/** A process is one script's, and one node's: `a1` lives on `a`. */
export type Step =
  | { readonly do: 'join' | 'leave'; readonly node: string; readonly process: string; readonly group: string }
  | { readonly do: 'kill'; readonly node: string; readonly process: string }
  /** A netsplit between two nodes, and its end. */
  | { readonly do: 'cut' | 'heal'; readonly one: string; readonly other: string }
  /** A node ends without a word, and is started again under its name. */
  | { readonly do: 'crash' | 'start'; readonly node: string }
  /** Nothing happens until all views are at rest. */
  | { readonly do: 'settle' }

export interface Script {
  readonly seed: number
  readonly nodes: readonly string[]
  readonly steps: readonly Step[]
}

const nodeNames = ['a', 'b', 'c', 'd']
const groupNames = ['red', 'green', 'blue']
const processesMax = 3
const stepsMin = 10
const stepsMax = 60
/** How often each kind is drawn; one that cannot be done becomes a join. */
const weights: Readonly<Record<Step['do'], number>> = {
  join: 36,
  leave: 20,
  kill: 8,
  cut: 10,
  heal: 10,
  crash: 3,
  start: 5,
  settle: 8,
}
const kinds = Object.entries(weights).flatMap(([kind, weight]) =>
  Array<Step['do']>(weight).fill(kind as Step['do']),
)

/** The script of a seed. */
export function randomScript(seed: number): Script {
  return new Draw(seed).script
}

/** A step as it stands in a script. */
export function textOf(step: Step): string {
  return Object.values(step).join(' ')
}

/** A script as one line. */
export function lineOf({ nodes, steps }: Script): string {
  return [nodes.join(' '), ...steps.map(textOf)].join(';')
}

/** What two nodes are called together, whoever is named first. */
export function pairOf(one: string, other: string): string {
  return [one, other].sort().join(' ')
}

/** Keeps what is true while steps are drawn, so that each is possible where it stands. */
class Draw {
  readonly script: Script
  readonly #next: () => number
  readonly #up: string[]
  readonly #down: string[] = []
  readonly #cuts = new Set<string>()
  /** Living processes of each node. */
  readonly #processes = new Map<string, string[]>()
  #processLast = 0

  constructor(seed: number) {
    this.#next = seededRandom(seed).next
    const nodes = nodeNames.slice(0, 2 + this.#below(nodeNames.length - 1))
    this.#up = [...nodes]
    const count = stepsMin + this.#below(stepsMax - stepsMin + 1)
    const steps = Array.from({ length: count }, () => this.#step(this.#kind()) ?? this.#join())
    this.script = { seed, nodes, steps }
  }

  #kind(): Step['do'] {
    return this.#one(kinds)
  }

  #step(kind: Step['do']): Step | undefined {
    switch (kind) {
      case 'join':
        return this.#join()
      case 'leave':
        return { do: kind, ...this.#member() }
      case 'kill':
        return this.#kill()
      case 'cut':
      case 'heal':
        return this.#split(kind)
      case 'crash':
        return this.#crash()
      case 'start':
        return this.#start()
      case 'settle':
        return { do: kind }
    }
  }

  #join(): Step {
    return { do: 'join', ...this.#member() }
  }

  /** A process, living or about to, and a group that it may or may not be in. */
  #member(): { node: string; process: string; group: string } {
    const node = this.#one(this.#up)
    const processes = this.#processes.get(node) ?? []
    this.#processes.set(node, processes)
    if (processes.length === 0 || (processes.length < processesMax && this.#next() < 0.3)) {
      this.#processLast += 1
      processes.push(`${node}${this.#processLast}`)
      return { node, process: processes.at(-1)!, group: this.#one(groupNames) }
    }
    return { node, process: this.#one(processes), group: this.#one(groupNames) }
  }

  #kill(): Step | undefined {
    const node = this.#one(this.#up)
    const [process] = this.#processes.get(node)?.splice(0, 1) ?? []
    return process === undefined ? undefined : { do: 'kill', node, process }
  }

  #split(kind: 'cut' | 'heal'): Step | undefined {
    const pairs = this.#up.flatMap(one =>
      this.#up.filter(other => one < other).map(other => [one, other] as const),
    )
    const possible = pairs.filter(([one, other]) => this.#cuts.has(pairOf(one, other)) === (kind === 'heal'))
    if (possible.length === 0) return undefined
    const [one, other] = this.#one(possible)
    if (kind === 'cut') this.#cuts.add(pairOf(one, other))
    else this.#cuts.delete(pairOf(one, other))
    return { do: kind, one, other }
  }

  #crash(): Step | undefined {
    if (this.#up.length < 2) return undefined
    const [node] = this.#up.splice(this.#below(this.#up.length), 1)
    this.#down.push(node!)
    this.#processes.delete(node!)
    return { do: 'crash', node: node! }
  }

  #start(): Step | undefined {
    const node = this.#down.pop()
    if (node === undefined) return undefined
    this.#up.push(node)
    return { do: 'start', node }
  }

  #below(count: number): number {
    return Math.floor(this.#next() * count)
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!
  }
}
