/** What `npm run sim` takes, and what it says to everything else. */
import { describe, expect, test } from 'vitest'
import { readArguments } from './arguments.ts'

const read = (line: string) => readArguments(line.split(' ').filter(Boolean))

describe('the arguments of npm run sim', () => {
  test('one seed, a range of seeds, or a script', () => {
    expect(read('--seed 7')).toMatchObject({ first: 7, last: 7 })
    expect(read('--seeds 1..200')).toMatchObject({ first: 1, last: 200 })
    expect(read('--script a.json')).toMatchObject({ script: 'a.json' })
  })

  test('nodes, minutes and a planted bug', () => {
    expect(read('--seed 7 --nodes 20 --minutes 0.5 --plant lost-leave')).toMatchObject({
      nodes: 20,
      minutes: 0.5,
      plant: 'lost-leave',
    })
  })

  test.each([
    ['', /one of --seed, --seeds and --script/],
    ['--seed 1 --seeds 1..2', /one of --seed, --seeds and --script/],
    ['--seed seven', /--seed: not a whole number/],
    ['--seed -1', /--seed/],
    ['--seeds 1-2', /--seeds: not a range/],
    ['--seeds 2..1', /--seeds: the last comes before the first/],
    ['--seed 1 --nodes 1', /--nodes: not a whole number from 2 to 256/],
    ['--seed 1 --minutes 0', /--minutes: not a number above 0/],
    ['--seed 1 --plant none', /--plant: no such planted bug: none/],
    ['--seed 1 --speed 9', /--speed/],
    ['seven', /seven/],
  ])('"%s" is refused in one line', (line, message) => {
    expect(() => read(line)).toThrow(message)
    expect(() => read(line)).not.toThrow(/\n/)
  })
})
