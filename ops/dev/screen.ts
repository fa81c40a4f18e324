/**
 * The terminal while the live view is on it: a screen of its own, drawn over in place, and given back as it was.
 */
import type { TextSink } from '../cli/io.ts'

const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE_END = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

/** Shows lines until disposed. */
export class LiveScreen implements Disposable {
  readonly #sink: TextSink
  #on = true

  /** Takes the terminal: alternate screen, no cursor, no wrapping. */
  constructor(sink: TextSink) {
    this.#sink = sink
    sink.write(ENTER)
  }

  /** Shows these lines and nothing else, without a flicker. */
  draw(lines: readonly string[]): void {
    if (!this.#on) return
    this.#sink.write(`${HOME}${lines.map(line => line + CLEAR_LINE_END).join('\r\n')}${CLEAR_BELOW}`)
  }

  /** Gives the terminal back; again is no error. */
  [Symbol.dispose](): void {
    if (!this.#on) return
    this.#on = false
    this.#sink.write(LEAVE)
  }
}
