/**
 * The live view: a picture of the meta-cluster and its conversation, as lines of text.
 *
 * Pure: state in, lines out, none wider than the terminal and no more than fit it. Colour repeats what words say.
 * From above: title, datacenters side by side, a status row for each node, the conversation in figures and in its last
 * lines, and what to try next. When the terminal is low the chat goes first, then the rows; the figures stay.
 */
import { stripVTControlCharacters } from 'node:util'
import type { Look } from '../cli/io.ts'

/** One node in the picture. */
export interface ViewNode {
  readonly name: string
  /** As its admin endpoint says, or what its process does: `down`, `backing-off`. */
  readonly state: string
  /** Phones connected; `undefined` for nodes that take none. */
  readonly connections: number | undefined
  /** Of its process, for who wants to kill it. */
  readonly pid: number | undefined
  /** How often it was started again after a crash. */
  readonly restarts: number
}

/** One datacenter: a column of the picture. */
export interface ViewDatacenter {
  readonly name: string
  readonly clusters: readonly { readonly name: string; readonly nodes: readonly ViewNode[] }[]
}

/** What was said last. */
export interface ChatLine {
  readonly at: string
  readonly from: string
  readonly to: string
  readonly body: string
  /** Whether it crossed from one datacenter to another. */
  readonly far: boolean
}

/** Everything that the view shows. */
export interface ViewState {
  readonly title: string
  readonly phase: string
  readonly datacenters: readonly ViewDatacenter[]
  /** Header and rows, as `wand wsar` prints them. */
  readonly rows: readonly string[]
  /** The conversation in figures. */
  readonly figures: readonly string[]
  readonly chat: readonly ChatLine[]
  readonly hints: readonly string[]
}

/** The terminal to draw for. */
export interface Screen {
  readonly columns: number
  readonly rows: number
  readonly paint: (look: Look, text: string) => string
}

const COLUMN_MIN = 38
/** A datacenter narrower than this does without some words. */
const NARROW = 52
const GAP = '   '
const CHAT_LINES_MAX = 8

/** Draws the view: at most `screen.rows` lines of at most `screen.columns` visible characters. */
export function renderView(state: ViewState, screen: Screen): string[] {
  const { paint } = screen
  const top = [`${paint('bold', state.title)}  ${state.phase}`, '']
  const picture = [...topology(state.datacenters, screen), '']
  // The first two are the header.
  const rows = state.rows.map((row, at) => (at < 2 ? paint('dim', row) : row))
  if (rows.length > 0) rows.push('')
  const figures = [...state.figures, '']
  const hints = state.hints.map(hint => paint('dim', hint))
  const chat = state.chat.slice(-CHAT_LINES_MAX).map(line => chatLine(line, screen))

  const fixed = top.length + figures.length + hints.length
  let room = screen.rows - fixed
  const shownPicture = picture.length <= room ? picture : []
  room -= shownPicture.length
  const shownRows = rows.length <= room ? rows : []
  room -= shownRows.length
  // A blank line parts the chat from the hints.
  const shownChat = room > 1 ? [...chat.slice(-(room - 1)), ''] : []
  return [...top, ...shownPicture, ...shownRows, ...figures, ...shownChat, ...hints]
    .slice(0, screen.rows)
    .map(line => clip(line, screen.columns))
}

function topology(datacenters: readonly ViewDatacenter[], screen: Screen): string[] {
  const abreast = Math.max(1, Math.floor((screen.columns + GAP.length) / (COLUMN_MIN + GAP.length)))
  const lines: string[] = []
  for (let first = 0; first < datacenters.length; first += abreast) {
    const shown = datacenters.slice(first, first + abreast)
    const width = Math.min(56, Math.floor((screen.columns - GAP.length * (shown.length - 1)) / shown.length))
    const columns = shown.map(datacenter => column(datacenter, width, screen))
    const height = Math.max(...columns.map(column => column.length))
    for (let row = 0; row < height; row++) {
      lines.push(
        columns
          .map(column => pad(column[row] ?? '', width))
          .join(GAP)
          .trimEnd(),
      )
    }
  }
  return lines
}

function column({ name, clusters }: ViewDatacenter, width: number, { paint }: Screen): string[] {
  const nodes = clusters.flatMap(cluster => cluster.nodes)
  const nameWidth = Math.max(...nodes.map(node => node.name.length))
  const stateWidth = Math.max(...nodes.map(node => node.state.length))
  const lines = [paint('bold', `─ ${name} ${'─'.repeat(Math.max(0, width - name.length - 3))}`)]
  const isNarrow = width < NARROW
  for (const cluster of clusters) {
    lines.push(` ${paint('dim', cluster.name)}`)
    for (const node of cluster.nodes) {
      const { mark, look } = markOf(node.state)
      const state = paint(look, node.state.padEnd(stateWidth))
      const extras = [
        ...(node.pid === undefined ? [] : [`${isNarrow ? '' : 'pid '}${node.pid}`]),
        ...(node.connections === undefined ? [] : [`${node.connections} phones`]),
        ...(node.restarts > 0 ? [`restarted ${node.restarts}x`] : []),
      ]
      const parts = [node.name.padEnd(nameWidth), state, extras.join(isNarrow ? ' ' : ', ')]
      lines.push(clip(` ${paint(look, mark)} ${parts.join(isNarrow ? ' ' : '  ')}`, width))
    }
  }
  return lines
}

function markOf(state: string): { mark: string; look: Look } {
  if (state === 'ready') return { mark: '●', look: 'green' }
  if (state === 'starting' || state === 'catching-up' || state === 'draining')
    return { mark: '◐', look: 'yellow' }
  return { mark: '○', look: 'red' }
}

function chatLine({ at, from, to, body, far }: ChatLine, { paint }: Screen): string {
  return `${paint('dim', at)} ${from} ${far ? '⇒' : '→'} ${to}: ${printable(body)}`
}

/** What a phone wrote must not move the cursor. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, ' ')
}

/** Cuts a line, which may be painted, to its first `width` visible characters. */
function clip(line: string, width: number): string {
  if (stripVTControlCharacters(line).length <= width) return line
  let visible = 0
  let at = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one
  for (const piece of line.matchAll(/\x1b\[[0-9;]*m|[^\x1b]/gu)) {
    if (!piece[0].startsWith('\x1b')) {
      if (visible === width - 1) break
      visible++
    }
    at = piece.index + piece[0].length
  }
  const open = line.slice(0, at).includes('\x1b[')
  return `${line.slice(0, at)}…${open ? '\x1b[0m' : ''}`
}

function pad(line: string, width: number): string {
  return line + ' '.repeat(Math.max(0, width - stripVTControlCharacters(line).length))
}
