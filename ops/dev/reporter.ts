/**
 * How a run is told while it goes on: drawn on a terminal, in plain lines through a pipe, or not at all for --json.
 */
import { type Io, painter } from '../cli/io.ts'
import { LiveScreen } from './screen.ts'
import { datacentersOf, printClock, printFigures, printReady, type Snapshot } from './snapshot.ts'
import { printable, renderView } from './view.ts'

/** Told about once a second how things stand, and at once what happened. */
export interface Reporter {
  show(snapshot: Snapshot): void
  event(line: string): void
  /** Before anything else is printed: gives the terminal back. */
  end(): void
}

/** The reporter that fits where we print. */
export function makeReporter(io: Io, isSilent: boolean, hints: readonly string[]): Reporter {
  if (isSilent) return { show: () => {}, event: () => {}, end: () => {} }
  return io.isTTY ? new LiveReporter(io, hints) : new PlainReporter(io)
}

const EVENTS_SHOWN = 3
const ROWS_DEFAULT = 24
/** In plain output, how many lines of chat come between two lines of figures. */
const CHAT_BETWEEN = 4

class LiveReporter implements Reporter {
  readonly #io: Io
  readonly #hints: readonly string[]
  readonly #screen: LiveScreen
  readonly #events: string[] = []

  constructor(io: Io, hints: readonly string[]) {
    this.#io = io
    this.#hints = hints
    this.#screen = new LiveScreen(io.stdout)
  }

  show(snapshot: Snapshot): void {
    const { topology, phase, upMs, rows, chat } = snapshot
    const lines = renderView(
      {
        title: topology.config.id,
        phase: `${phase}, up ${printClock(upMs)}, ${printReady(snapshot)}`,
        datacenters: datacentersOf(snapshot),
        rows,
        figures: printFigures(snapshot),
        chat,
        hints: [...this.#events, ...this.#hints],
      },
      {
        // Asked again for each picture: terminals change their size.
        columns: process.stdout.columns ?? this.#io.columns,
        rows: process.stdout.rows ?? ROWS_DEFAULT,
        paint: painter(this.#io),
      },
    )
    this.#screen.draw(lines)
  }

  event(line: string): void {
    this.#events.push(`${clockTime()} ${line}`)
    if (this.#events.length > EVENTS_SHOWN) this.#events.shift()
  }

  end(): void {
    this.#screen[Symbol.dispose]()
  }
}

class PlainReporter implements Reporter {
  readonly #io: Io
  #shown = 0

  constructor(io: Io) {
    this.#io = io
  }

  show(snapshot: Snapshot): void {
    const line = snapshot.chat.at(-1)
    const isFigures = this.#shown % (CHAT_BETWEEN + 1) === 0 || line === undefined
    this.#shown++
    if (isFigures) {
      const { phase, talk } = snapshot
      const figures =
        talk === undefined || talk.counts.sent === 0 ? '' : `  ${printFigures(snapshot).join('  ')}`
      this.event(`${phase}: ${printReady(snapshot)}${figures}`)
    } else {
      this.event(`${line.from} ${line.far ? '=>' : '->'} ${line.to}: ${printable(line.body)}`)
    }
  }

  event(line: string): void {
    this.#io.stdout.write(`${clockTime()} ${line}\n`)
  }

  end(): void {}
}

/** Now, for people: `12:03:04`. */
export function clockTime(): string {
  return new Date().toTimeString().slice(0, 8)
}
