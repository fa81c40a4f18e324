import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { userPattern } from '../../../node/services/accounts/messages.ts'
import { readLines, shippedLines } from '../../../ops/dev/script/lines.ts'
import { makePeople, nameOf, type Place } from '../../../ops/dev/script/people.ts'
import { easyPace, type Step, talk } from '../../../ops/dev/script/talk.ts'

const places: readonly Place[] = ['dc1', 'dc1', 'dc2', 'dc2'].map((datacenter, index) => ({
  node: `${datacenter}-chat${(index % 2) + 1}`,
  datacenter,
  address: `127.0.0.1:${7000 + index}`,
}))

function steps(seed: number, index: number, count: number): Step[] {
  const people = makePeople(20, places, seed)
  const script = talk(people[index]!, index, {
    seed,
    placeCount: places.length,
    lines: readLines(shippedLines),
    pace: easyPace,
  })
  return Array.from({ length: count }, () => script.next().value)
}

describe('the people', () => {
  test('are the same for the same seed, and have other friends with another', () => {
    expect(makePeople(30, places, 7)).toEqual(makePeople(30, places, 7))
    expect(makePeople(30, places, 7)).not.toEqual(makePeople(30, places, 8))
  })

  test('are called differently, by names that the accounts service takes', () => {
    const names = Array.from({ length: 500 }, (_, index) => nameOf(index))
    expect(new Set(names).size).toBe(500)
    expect(names.filter(name => !userPattern.test(name))).toEqual([])
  })

  test('live at every chat node, even when they are few', () => {
    expect(
      makePeople(4, places, 7)
        .map(person => person.home)
        .toSorted(),
    ).toEqual([0, 1, 2, 3])
    expect(new Set(makePeople(2, places, 7).map(person => person.datacenter)).size).toBe(2)
  })

  test('have friends at home and abroad, and never themselves', () => {
    const people = makePeople(40, places, 7)
    const homeOf = new Map(people.map(person => [person.name, person.datacenter]))
    for (const person of people) {
      expect(person.friends).not.toContain(person.name)
      expect(new Set(person.friends).size).toBe(person.friends.length)
      const far = person.friends.filter(friend => homeOf.get(friend) !== person.datacenter)
      expect(far).toHaveLength(2)
      expect(person.friends).toHaveLength(5)
    }
  })
})

describe('the script of a person', () => {
  test('is the same for the same seed, whatever the others do', () => {
    expect(steps(7, 3, 200)).toEqual(steps(7, 3, 200))
    expect(steps(7, 3, 200)).not.toEqual(steps(8, 3, 200))
    expect(steps(7, 3, 200)).not.toEqual(steps(7, 4, 200))
  })

  test('writes at most twice a second, only to friends, and line after line', () => {
    const lines = readLines(shippedLines)
    const friends = makePeople(20, places, 7)[3]!.friends
    const sends = steps(7, 3, 300).filter(step => step.act === 'send')
    expect(sends.length).toBeGreaterThan(200)
    for (const [index, send] of sends.entries()) {
      expect(send.waitMs).toBeGreaterThanOrEqual(500)
      expect(friends).toContain(send.to)
      if (index > 0)
        expect(lines.indexOf(send.body)).toBe((lines.indexOf(sends[index - 1]!.body) + 1) % lines.length)
    }
  })

  test('goes away now and then, and comes back elsewhere too', () => {
    const leaves = steps(7, 3, 2_000).filter(step => step.act === 'leave')
    expect(leaves.length).toBeGreaterThan(50)
    expect(new Set(leaves.map(leave => leave.place)).size).toBe(places.length)
  })

  test('of somebody without friends never writes', () => {
    const [only] = makePeople(1, places, 7)
    const script = talk(only!, 0, { seed: 7, placeCount: 4, lines: ['hello'], pace: easyPace })
    for (let i = 0; i < 50; i++) expect(script.next().value.act).toBe('leave')
  })
})

describe('the lines', () => {
  function fileWith(text: string): string {
    const directory = mkdtempSync(join(tmpdir(), 'wandist-lines-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'lines.txt')
    writeFileSync(file, text)
    return file
  }

  test('come without empty ones, and cut to a sane length', () => {
    const lines = readLines(fileWith(`one\r\n\n  two  \n${'x'.repeat(5_000)}\n`))
    expect(lines.map(line => line.length)).toEqual([3, 3, 400])
  })

  test('of a missing or an empty file are one clear error', () => {
    expect(() => readLines('/nowhere/lines.txt')).toThrow(/^read lines: ENOENT.*\/nowhere\/lines\.txt/)
    const file = fileWith('\n \n')
    expect(() => readLines(file)).toThrow(`read lines: nothing but empty lines: ${file}`)
  })
})
