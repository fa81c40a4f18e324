/**
 * The lines that the phones say: one message a line of a text file, empty lines left out.
 *
 * A line longer than a phone may send comfortably is cut: any text file will do.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The text that comes along. */
export const shippedLines = fileURLToPath(new URL('../lines.txt', import.meta.url))

const LINE_CHARACTERS_MAX = 400

/**
 * Reads what is said.
 * @returns at least one line
 * @throws Error with one line of text when the file cannot be read or says nothing
 */
export function readLines(path: string): readonly string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`read lines: ${(error as Error).message}`)
  }
  const lines = text
    .split(/\r?\n/)
    .map(line => line.trim().slice(0, LINE_CHARACTERS_MAX))
    .filter(line => line !== '')
  if (lines.length === 0) throw new Error(`read lines: nothing but empty lines: ${path}`)
  return lines
}
