/** PROTOCOL.md says the same as the code. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { closingCodes, phoneErrorCodes } from '../../../node/connections/error-codes.ts'
import { goAwayReasons } from '../../../node/connections/protocol.ts'

const protocol = readFileSync(new URL('../../../node/connections/PROTOCOL.md', import.meta.url), 'utf8')

/** The cells of the table row that begins with `name`. */
function row(name: string): string[] {
  const rows = protocol.split('\n').map(line => line.split('|').map(cell => cell.trim()))
  return rows.find(cells => cells[1] === `\`${name}\``) ?? []
}

test('PROTOCOL.md has every error code, and says which of them close', () => {
  const rows = phoneErrorCodes.map(code => [code, row(code)[3]] as const)
  expect(rows.filter(([, closes]) => closes === undefined)).toEqual([])
  expect(rows.filter(([, closes]) => closes !== 'no').map(([code]) => code)).toEqual([...closingCodes])
})

test('PROTOCOL.md has every reason to go away', () => {
  for (const reason of goAwayReasons) expect(row(reason)[2]).toBeTruthy()
})
