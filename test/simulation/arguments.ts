/** What `npm run sim` was asked to do. */
import { parseArgs } from 'node:util'
import { plants } from './plants/plants.ts'

export interface Arguments {
  readonly first: number
  readonly last: number
  readonly nodes: number | undefined
  readonly minutes: number | undefined
  readonly plant: string | undefined
  readonly script: string | undefined
}

export const usage =
  'usage: npm run sim -- (--seed N | --seeds A..B | --script FILE) [--nodes 2..256] [--minutes N] [--plant NAME]'

/** @throws Error with one line that says what is wrong */
export function readArguments(args: readonly string[]): Arguments {
  const values = parse(args)
  const { seed, seeds, script, plant } = values
  const given = [seed, seeds, script].filter(value => value !== undefined).length
  if (given !== 1) throw new Error('one of --seed, --seeds and --script is needed')
  if (plant !== undefined && plants[plant] === undefined)
    throw new Error(`--plant: no such planted bug: ${plant}; there are ${Object.keys(plants).join(', ')}`)
  const range = /^(\d+)\.\.(\d+)$/.exec(seeds ?? '')
  if (seeds !== undefined && range === null) throw new Error(`--seeds: not a range such as 1..200: ${seeds}`)
  const first = range ? Number(range[1]) : (whole('--seed', seed, 0, 2 ** 32) ?? 0)
  const last = range ? Number(range[2]) : first
  if (last < first) throw new Error(`--seeds: the last comes before the first: ${seeds}`)
  return {
    first,
    last,
    nodes: whole('--nodes', values.nodes, 2, 256),
    minutes: positive('--minutes', values.minutes),
    plant,
    script,
  }
}

/** Options as texts; what `parseArgs` complains of has several lines, of which the first says it. */
function parse(args: readonly string[]) {
  const option = { type: 'string' } as const
  try {
    const options = {
      seed: option,
      seeds: option,
      nodes: option,
      minutes: option,
      plant: option,
      script: option,
    }
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    throw new Error(String(error instanceof Error ? error.message : error).split('\n')[0], { cause: error })
  }
}

function whole(name: string, value: string | undefined, min: number, max: number): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < min || number > max)
    throw new Error(`${name}: not a whole number from ${min} to ${max}: ${value}`)
  return number
}

function positive(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (!(number > 0 && number <= 1_000)) throw new Error(`${name}: not a number above 0, up to 1000: ${value}`)
  return number
}
