/**
 * `wand wsar`: the status row, again and again, as sar and vmstat do.
 *
 * Each row is about the time since the one before it, so the first comes after the first interval.
 * Source: R14 s7 and s8 (C12).
 */
import type { Command } from 'commander'
import type { Document } from '../../admin/routes.ts'
import { labelWidth, printRow, printRowHeader, printRowTime, type Row, rowOf } from '../../row.ts'
import type { Sample } from '../../sample.ts'
import { printMissing } from '../answer.ts'
import { AdminClient } from '../client.ts'
import { CliError, exitCode } from '../exit-code.ts'
import { examples, wants } from '../help.ts'
import type { Io } from '../io.ts'
import { type GlobalOptions, optionsOf } from '../options.ts'

/** Rows between two headers. */
const HEADER_EVERY = 20

interface Plan {
  /** All nodes when there is none. */
  readonly node: string | undefined
  readonly seconds: number
  /** How many times; for ever when there is none. */
  readonly count: number
}

export function registerWsar(program: Command, io: Io): void {
  const command = program
    .command('wsar')
    .argument('[node]', 'one node; all when left out')
    .argument('[seconds]', 'from one row to the next')
    .argument('[count]', 'how many rows; for ever when left out')
    .helpGroup(wants.look)
    .description('status rows: queues, messages, links, load')
    .action(async (...typed: [string?, string?, string?, object?, Command?]) => {
      const plan = planOf(typed.slice(0, 3) as (string | undefined)[])
      await follow(io, optionsOf(typed[4]!), plan)
    })
  examples(command, [
    ['wand wsar', 'every node, about one second'],
    ['wand wsar dc1-chat1 5', 'one node, every five seconds'],
    ['wand wsar 1 60 --json', 'every node, a minute, one object a line'],
  ])
}

/** The first argument is the node unless it is a number: `wsar 5 3` is about all nodes. */
function planOf(typed: readonly (string | undefined)[]): Plan {
  const given = typed.filter(text => text !== undefined)
  const node = given.length > 0 && !/^[0-9.]/.test(given[0]!) ? given.shift() : undefined
  const [seconds, count, ...rest] = given
  if (rest.length > 0) throw new CliError(exitCode.usage, `wsar: too many arguments: ${rest.join(' ')}`)
  return {
    node,
    seconds: seconds === undefined ? 1 : numberOf('seconds', seconds, /^[0-9]*\.?[0-9]+$/),
    count:
      count === undefined
        ? seconds === undefined
          ? 1
          : Number.POSITIVE_INFINITY
        : numberOf('count', count, /^[0-9]+$/),
  }
}

function numberOf(what: string, text: string, pattern: RegExp): number {
  const number = pattern.test(text) ? Number(text) : 0
  if (number > 0 && number <= 1e6) return number
  throw new CliError(exitCode.usage, `wsar: ${what}: not a number above 0: ${text}`)
}

async function follow(io: Io, options: GlobalOptions, plan: Plan): Promise<void> {
  const path = plan.node === undefined ? 'samples' : `samples/${encodeURIComponent(plan.node)}`
  const look = async () =>
    (await AdminClient.connect(io, options)).get<readonly Sample[]>('take a sample', path, [])
  const printer = new Printer(io, options, plan)
  let before = (await look()).data
  let dueMs = performance.now()
  for (let done = 0; done < plan.count; done++) {
    dueMs += plan.seconds * 1_000
    await new Promise(resolve => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
    const document = await look()
    const samples = document.data
    printer.print({
      ...document,
      data: samples.map(sample =>
        rowOf(
          before.find(({ node }) => node === sample.node),
          sample,
        ),
      ),
    })
    before = samples
  }
}

/** Prints rows, and the header whenever a screenful has passed. */
class Printer {
  readonly #io: Io
  readonly #options: GlobalOptions
  readonly #plan: Plan
  /** Grows with the names seen; one node's rows are labelled by time alone. */
  #labelWidth = labelWidth
  #rows = 0
  #said = ''

  constructor(io: Io, options: GlobalOptions, plan: Plan) {
    this.#io = io
    this.#options = options
    this.#plan = plan
  }

  print(document: Document<readonly Row[]>): void {
    const { data, complete, missing } = document
    if (this.#options.json) this.#io.stdout.write(`${JSON.stringify({ data, complete, missing })}\n`)
    else {
      const names = this.#plan.node === undefined ? data.map(({ node }) => node) : []
      for (const name of names)
        this.#labelWidth = Math.max(this.#labelWidth, 'hh:mm:ss '.length + name.length)
      for (const row of data) this.#print(row)
    }
    const text = complete ? '' : printMissing(missing)
    // Once, until it changes: a node that stays away would fill the screen.
    if (text !== '' && text !== this.#said) this.#io.stderr.write(`wand: ${text}\n`)
    this.#said = text
    this.#io.setExitCode(complete ? exitCode.done : exitCode.partial)
  }

  #print(row: Row): void {
    const { node } = this.#plan
    const time = printRowTime(row.timeMs)
    const label = node === undefined ? `${time.slice(-8)} ${row.node}` : time
    if (this.#rows % HEADER_EVERY === 0) {
      const [top, what] = node === undefined ? [time.slice(0, 5), 'time     node'] : [node, 'time']
      this.#io.stdout.write(`${printRowHeader(top, what, this.#labelWidth).join('\n')}\n`)
    }
    this.#rows += 1
    this.#io.stdout.write(`${printRow(row, label, this.#labelWidth)}\n`)
  }
}
