import { describe, expect, test } from 'vitest'
import { TurnEnd } from '../../../transport/turn-end.ts'

/** A turn end whose turns the test ends, and what ran. */
function setUp() {
  const waiting: (() => void)[] = []
  const turnEnd = new TurnEnd(run => void waiting.push(run))
  const ran: string[] = []
  return {
    ran,
    waiting,
    soon: (name: string, then: () => void = () => {}) =>
      turnEnd.soon(() => {
        ran.push(name)
        then()
      }),
    endTurn: () => waiting.shift()!(),
  }
}

describe('the end of a turn', () => {
  test('runs what was asked for in order, and asks the loop once', () => {
    const { soon, ran, waiting, endTurn } = setUp()
    for (const name of ['a', 'b', 'c']) soon(name)
    expect(waiting).toHaveLength(1)
    endTurn()
    expect(ran).toEqual(['a', 'b', 'c'])
    expect(waiting).toHaveLength(0)
  })

  test('then runs what these asked for, so that an answer leaves in the turn in which it was given', () => {
    const { soon, ran, waiting, endTurn } = setUp()
    soon('process', () => soon('flush'))
    soon('other process')
    endTurn()
    expect(ran).toEqual(['process', 'other process', 'flush'])
    expect(waiting).toHaveLength(0)
  })

  test('lets the loop read before a third round', () => {
    const { soon, ran, waiting, endTurn } = setUp()
    const again = () => soon('again', again)
    again()
    endTurn()
    expect(ran).toEqual(['again', 'again'])
    expect(waiting).toHaveLength(1)
    endTurn()
    expect(ran).toHaveLength(4)
  })

  test('throws on what is thrown, and everything else still runs, once', () => {
    const { soon, ran, endTurn, waiting } = setUp()
    soon('a', () => soon('of a'))
    soon('bug', () => {
      throw new Error('bug')
    })
    soon('b')
    expect(endTurn).toThrow('bug')
    expect(ran).toEqual(['a', 'bug'])
    endTurn()
    expect(ran).toEqual(['a', 'bug', 'b', 'of a'])
    expect(waiting).toHaveLength(0)
  })
})
