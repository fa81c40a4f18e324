import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Conversation } from '../../../ops/dev/chat/conversation.ts'
import { inputHelp, readInput } from '../../../ops/dev/chat/input.ts'
import { Keeping } from '../../../ops/dev/chat/keeping.ts'

describe('what a person types', () => {
  test.each([
    ['hello there', { kind: 'text', body: 'hello there' }],
    ['  padded ', { kind: 'text', body: 'padded' }],
    ['/to bob', { kind: 'to', user: 'bob' }],
    ['/to', { kind: 'help' }],
    ['/to bob and alice', { kind: 'help' }],
    ['/who', { kind: 'who' }],
    ['/quit', { kind: 'quit' }],
    ['/quit now', { kind: 'help' }],
    ['/explode', { kind: 'help' }],
    ['//to be a text', { kind: 'text', body: '/to be a text' }],
    ['', { kind: 'nothing' }],
    ['   ', { kind: 'nothing' }],
  ])('%j is understood', (line, input) => {
    expect(readInput(line)).toEqual(input)
  })
})

/** A conversation on a line that notes what is sent, and refuses what goes to `nobody`. */
function conversation(partner?: string) {
  const printed: string[] = []
  const sent: string[] = []
  const kept: number[] = []
  const line = {
    nextSeq: 1,
    send: async (to: string, body: string) => {
      if (to === 'nobody') throw new Error('send 1: mailbox-full')
      sent.push(`${to}: ${body}`)
      return { seq: line.nextSeq++ }
    },
  }
  const made = new Conversation(
    {
      line: () => line,
      print: text => printed.push(text),
      time: () => '12:03:04',
      keep: nextSeq => kept.push(nextSeq),
      people: ['alice', 'bob'],
    },
    partner,
  )
  return { made, printed, sent, kept }
}

describe('a conversation', () => {
  test('sends what is typed to the partner, and ticks it off', async () => {
    const { made, printed, sent, kept } = conversation('bob')
    expect(made.typed('Good morning!')).toBe(true)
    await made.settled()
    made.ticked({ by: 'bob', seq: 1 })
    expect(sent).toEqual(['bob: Good morning!'])
    expect(kept).toEqual([2])
    expect(printed).toEqual(['12:03:04 ✓ bob has "Good morning!"'])
  })

  test('prints what comes in, without what would move the cursor', () => {
    const { made, printed } = conversation('bob')
    made.received({ from: 'carol', body: 'Hi\x1b[2J there\n', late: false })
    made.received({ from: 'carol', body: 'earlier', late: true })
    expect(printed).toEqual(['12:03:04 carol: Hi there ', '12:03:04 carol (late): earlier'])
    expect(made.partner).toBe('bob')
  })

  test('asks to whom, until somebody writes or a name is given', async () => {
    const { made, printed, sent } = conversation()
    made.typed('anybody?')
    expect(printed).toEqual(['to whom? /to NAME, for example alice, bob'])
    made.received({ from: 'carol', body: 'me', late: false })
    made.typed('oh, hello')
    made.typed('/to alice')
    made.typed('and you?')
    await made.settled()
    expect(sent).toEqual(['carol: oh, hello', 'alice: and you?'])
  })

  test('says what was not sent, and why', async () => {
    const { made, printed } = conversation('nobody')
    made.typed('hello')
    await made.settled()
    expect(printed).toEqual(['not sent: send 1: mailbox-full'])
    expect(made.failures).toBe(1)
  })

  test('helps, names people, and ends', () => {
    const { made, printed } = conversation()
    expect(made.typed('/who')).toBe(true)
    expect(made.typed('/what')).toBe(true)
    expect(made.typed('')).toBe(true)
    expect(made.typed('/quit')).toBe(false)
    expect(printed).toEqual(['some people: alice, bob', inputHelp])
  })

  test('shortens what it quotes, and ticks off what an earlier chat sent', async () => {
    const { made, printed } = conversation('bob')
    made.typed('a text that is much longer than what fits')
    await made.settled()
    made.ticked({ by: 'bob', seq: 1 })
    made.ticked({ by: 'bob', seq: 99 })
    expect(printed).toEqual(['12:03:04 ✓ bob has "a text that is much longer th…"', '12:03:04 ✓ bob has it'])
  })
})

describe('what a phone keeps', () => {
  function keeping() {
    const directory = mkdtempSync(join(tmpdir(), 'wandist-keeping-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    return { file: join(directory, 'chat-you.json'), kept: new Keeping(directory, 'you') }
  }

  test('is there the next time, for this user only', () => {
    const { file, kept } = keeping()
    expect(kept.read()).toBeUndefined()
    kept.keep({ key: 'secret', nextSeq: 7 })
    expect(kept.read()).toEqual({ key: 'secret', nextSeq: 7 })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    kept.forget()
    expect(kept.read()).toBeUndefined()
  })

  test('is nothing when the file is damaged', () => {
    const { file, kept } = keeping()
    for (const text of ['', '{"key":', 'null', '{"key":5,"nextSeq":1}', '{"key":"a","nextSeq":0}']) {
      writeFileSync(file, text)
      expect(kept.read()).toBeUndefined()
    }
  })
})
