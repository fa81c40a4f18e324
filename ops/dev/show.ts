/**
 * Shows a run while it goes on: looks at the nodes every second, and tells the reporter how things stand.
 */
import type { Topology } from '../../cluster-config/index.ts'
import type { Io } from '../cli/io.ts'
import type { Children } from './children.ts'
import type { Crowd } from './phones.ts'
import { clockTime, makeReporter, type Reporter } from './reporter.ts'
import type { ChatLine } from './view.ts'
import { type Look, Watch } from './watch.ts'

/** What of a run is shown. */
export interface Shown {
  readonly topology: Topology
  readonly runDirectory: string
  /** What the operator named, if anything: it belongs into the hints. */
  readonly runDir: string | undefined
  readonly isSilent: boolean
}

const SHOW_MS = 1_000
const CHAT_KEPT = 20

export class Show {
  /** What the run is doing. */
  phase = 'starting'
  children: Children | undefined
  crowd: Crowd | undefined
  readonly #shown: Shown
  readonly #io: Io
  readonly #watch: Watch
  readonly #chat: ChatLine[] = []
  readonly #startedMs = performance.now()
  #reporter: Reporter | undefined
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #look: Look = { nodes: new Map(), linksUp: 0, linksWanted: 0 }

  constructor(io: Io, shown: Shown) {
    this.#io = io
    this.#shown = shown
    this.#watch = new Watch(io, shown.runDirectory)
  }

  /** Begins to show. */
  begin(): void {
    this.#reporter = makeReporter(this.#io, this.#shown.isSilent, this.#hints())
    if (this.#shown.isSilent) return
    this.#timer = setInterval(() => void this.#showNow(), SHOW_MS)
    void this.#showNow()
  }

  /** Something happened. */
  event(line: string): void {
    this.#reporter?.event(line)
  }

  /** A text arrived at a phone. */
  heard({ from, to, body }: { readonly from: string; readonly to: string; readonly body: string }): void {
    const far = this.crowd?.homeOf(from) !== this.crowd?.homeOf(to)
    this.#chat.push({ at: clockTime(), from, to, body, far })
    if (this.#chat.length > CHAT_KEPT) this.#chat.shift()
  }

  /** Ends it, and gives the terminal back; again is no error. */
  end(): void {
    clearInterval(this.#timer)
    this.#reporter?.end()
    this.#reporter = undefined
  }

  async #showNow(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const [look, rows] = await Promise.all([this.#watch.look(), this.#watch.rows(clockTime())])
    this.#isLooking = false
    // A node that is busy starting may keep us waiting; what it was is better than nothing.
    if (look.nodes.size > 0 || this.phase === 'stopping') this.#look = look
    const { crowd } = this
    this.#reporter?.show({
      topology: this.#shown.topology,
      phase: this.phase,
      upMs: performance.now() - this.#startedMs,
      children: this.children?.list() ?? [],
      look: this.#look,
      rows,
      talk: crowd && { counts: crowd.tally.counts, phones: crowd.people.length, away: crowd.tally.awayCount },
      chat: this.#chat,
    })
  }

  #hints(): readonly string[] {
    const { runDir } = this.#shown
    return [
      ...(runDir === undefined ? [] : [`First, in a second terminal: export WAND_RUN_DIR=${runDir}`]),
      'Second terminal: npx wand status | group list | wsar | chat --as you | upgrade',
      'Or kill -9 any pid: nobody loses a message. Ctrl-C stops everything.',
    ]
  }
}
