/**
 * Tables of text: columns aligned, numbers to the right, nothing in a cell that a terminal would obey.
 */
import { stripVTControlCharacters } from 'node:util'
import type { Look } from './io.ts'

/** What stands in a cell: text, or text in a look. */
export type Cell = string | { readonly text: string; readonly look: Look }

/** A column: its title, and whether it holds numbers. */
export type Column = string | { readonly title: string; readonly right: true }

/** How text is painted; see `painter`. */
export type Paint = (look: Look, text: string) => string

/** A column of numbers. */
export function right(title: string): Column {
  return { title, right: true }
}

/** Prints a table with its titles; each line ends with a line feed. */
export function printTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
): string {
  const titles = columns.map(column => (typeof column === 'string' ? column : column.title))
  const texts = rows.map(row => row.map(cell => printable(typeof cell === 'string' ? cell : cell.text)))
  const widths = titles.map((title, at) => Math.max(title.length, ...texts.map(row => row[at]?.length ?? 0)))
  const pad = (text: string, at: number) => {
    if (typeof columns[at] !== 'string') return text.padStart(widths[at]!)
    return at === columns.length - 1 ? text : text.padEnd(widths[at]!)
  }
  const lines = rows.map((row, number) =>
    row.map((cell, at) => {
      const text = pad(texts[number]![at]!, at)
      return typeof cell === 'string' ? text : paint(cell.look, text)
    }),
  )
  const header = titles.map((title, at) => paint('bold', pad(title, at)))
  return [header, ...lines].map(cells => `${cells.join('  ').trimEnd()}\n`).join('')
}

/** Text from elsewhere, on one line and without what a terminal would obey. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\u00b7')
}

/** Bytes as people read them: `0 B`, `512 B`, `1.5 MB`. */
export function printBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  const power = Math.min(4, Math.floor(Math.log10(bytes) / 3))
  const scaled = bytes / 1_000 ** power
  return `${scaled.toFixed(scaled < 10 ? 1 : 0)} ${' kMGT'[power]}B`
}

/** A count with its thousands apart: `1,234,567`. */
export function printCount(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 3 })
}
