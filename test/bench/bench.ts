/**
 * What a benchmark is: a name, the systems that it runs, and the figures that a run yields.
 *
 * Systems run in turn, A B A B, several rounds in one invocation, and a figure is its median over the rounds: on a
 * shared machine only what stood side by side can be compared.
 */

/** What a case was run with, as in `{ bytes: 100 }`; fields of their own in the output. */
export type Parameters = Readonly<Record<string, number | string>>

/** One figure of one run. */
export interface Figure {
  /** What was done, as in `oneway`. */
  readonly case: string
  readonly parameters: Parameters
  readonly metric: string
  readonly value: number
  readonly unit: string
}

/** One system under test. */
export interface System {
  /** `wandist`, or the peer's name. */
  readonly name: string
  /** `undefined` when it can run here, else why not, in one line. */
  unavailable(): Promise<string | undefined>
  /** Runs everything that it can once, and leaves nothing behind. */
  run(options: RunOptions): Promise<readonly Figure[]>
}

export interface RunOptions {
  /** How long each case is measured, after its warm-up. */
  readonly seconds: number
  /** Whether a case is asked for. */
  readonly wants: (name: string) => boolean
}

/** One benchmark: ours first, then the peers that do the same work. */
export interface Bench {
  readonly name: string
  readonly about: string
  readonly ours: System
  readonly peers: readonly System[]
}

/** A figure over several rounds. */
export interface Row extends Figure {
  readonly bench: string
  readonly system: string
  /** Median over the rounds. */
  readonly value: number
  readonly min: number
  readonly max: number
  readonly rounds: number
  readonly seconds: number
}

/** Runs a benchmark; `say` gets progress, and one line for each system that cannot run here. */
export async function measure(
  bench: Bench,
  options: RunOptions & { readonly rounds: number; readonly peers: boolean },
  say: (line: string) => void,
): Promise<readonly Row[]> {
  const systems: System[] = []
  for (const system of [bench.ours, ...(options.peers ? bench.peers : [])]) {
    const reason = await system.unavailable()
    if (reason === undefined) systems.push(system)
    else say(`${system.name} does not run here: ${reason}`)
  }
  const runs: Run[] = []
  for (let round = 1; round <= options.rounds; round++) {
    for (const system of systems) {
      say(`round ${round} of ${options.rounds}: ${system.name}`)
      for (const figure of await system.run(options)) runs.push({ system: system.name, figure })
    }
  }
  return rowsOf(bench.name, runs, options)
}

interface Run {
  readonly system: string
  readonly figure: Figure
}

function rowsOf(
  bench: string,
  runs: readonly Run[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): readonly Row[] {
  const groups = Map.groupBy(runs, ({ system, figure }) => `${system} ${nameOf(figure)}`)
  return [...groups.values()].map(group => {
    const { system, figure } = group[0]!
    const values = group.map(run => run.figure.value).sort((a, b) => a - b)
    return {
      ...figure,
      bench,
      system,
      value: median(values),
      min: values[0]!,
      max: values.at(-1)!,
      rounds,
      seconds,
    }
  })
}

/** What a figure is of, whoever's it is: equal for those that can be compared. */
export function nameOf({ case: name, parameters, metric }: Figure): string {
  return JSON.stringify([name, parameters, metric])
}

/** The middle of sorted values; of an even number, the mean of the two in the middle. */
export function median(sorted: readonly number[]): number {
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** The value below which `share` (0 to 1) of the sorted values lie. */
export function quantile(sorted: readonly number[] | Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}
