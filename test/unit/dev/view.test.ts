import { stripVTControlCharacters, styleText } from 'node:util'
import { describe, expect, test } from 'vitest'
import { printable, renderView, type Screen, type ViewState } from '../../../ops/dev/view.ts'

const node = (name: string, state = 'ready', connections?: number, restarts = 0) => ({
  name,
  pid: 4711,
  state,
  connections,
  restarts,
})

const state: ViewState = {
  title: 'two-datacenters',
  phase: 'talking, 0:42',
  datacenters: [
    {
      name: 'dc1',
      clusters: [
        { name: 'dc1-main', nodes: [node('dc1-chat1', 'ready', 12), node('dc1-mailbox1', 'catching-up')] },
        { name: 'global', nodes: [node('dc1-accounts1')] },
      ],
    },
    {
      name: 'dc2',
      clusters: [{ name: 'dc2-main', nodes: [node('dc2-chat1', 'backing-off', 0, 2)] }],
    },
  ],
  rows: ['dev            | own-- msg--', 'node           | nodes qlen', 'dc1-chat1      |     9    0'],
  figures: ['sent 10  acked 10', 'phones 37 of 40'],
  chat: [
    { at: '12:03:04', from: 'alice', to: 'bob', body: 'Good morning!', far: true },
    { at: '12:03:05', from: 'bob', to: 'carol', body: 'No\x1b[2J, here \x07the sun is out.', far: false },
  ],
  hints: ['npx wand status'],
}

const plain: Screen = { columns: 100, rows: 40, paint: (_look, text) => text }
const coloured: Screen = { ...plain, paint: (look, text) => styleText(look, text, { validateStream: false }) }

describe('the live view', () => {
  test('shows datacenters side by side, rows, figures, chat and hints', () => {
    expect(renderView(state, plain).join('\n')).toMatchInlineSnapshot(`
      "two-datacenters  talking, 0:42

      ─ dc1 ──────────────────────────────────────────   ─ dc2 ──────────────────────────────────────────
       dc1-main                                           dc2-main
       ● dc1-chat1     ready       4711 12 phones         ○ dc2-chat1 backing-off 4711 0 phones restarte…
       ◐ dc1-mailbox1  catching-up 4711
       global
       ● dc1-accounts1 ready       4711

      dev            | own-- msg--
      node           | nodes qlen
      dc1-chat1      |     9    0

      sent 10  acked 10
      phones 37 of 40

      12:03:04 alice ⇒ bob: Good morning!
      12:03:05 bob → carol: No, here  the sun is out.

      npx wand status"
    `)
  })

  test('says the same in colour', () => {
    expect(renderView(state, coloured).map(stripVTControlCharacters)).toEqual(renderView(state, plain))
    expect(renderView(state, coloured).join('')).toContain('\x1b[32m●')
  })

  test('puts datacenters one below the other on a narrow terminal', () => {
    const lines = renderView(state, { ...plain, columns: 60 })
    expect(lines.findIndex(line => line.startsWith('─ dc2'))).toBeGreaterThan(
      lines.findIndex(line => line.includes('dc1-accounts1')),
    )
  })

  test('is never wider or higher than the terminal, and keeps the figures', () => {
    for (const columns of [20, 39, 60, 81, 200]) {
      for (let rows = 5; rows < 30; rows++) {
        for (const screen of [plain, coloured]) {
          const lines = renderView(state, { ...screen, columns, rows })
          expect(lines.length).toBeLessThanOrEqual(rows)
          expect(Math.max(...lines.map(line => stripVTControlCharacters(line).length))).toBeLessThanOrEqual(
            columns,
          )
          expect(lines.some(line => line.startsWith('sent 10'))).toBe(true)
        }
      }
    }
  })

  test('closes a colour that it cuts', () => {
    const lines = renderView(state, { ...coloured, columns: 20 })
    for (const line of lines.filter(line => line.includes('…')))
      expect(line.endsWith('\x1b[0m') || !line.includes('\x1b')).toBe(true)
  })

  test('lets no message move the cursor', () => {
    expect(printable('a\x1b[2Jb\tc\r\nd')).toBe('ab c  d')
  })
})
