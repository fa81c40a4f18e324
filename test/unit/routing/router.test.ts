import { describe, expect, it } from 'vitest'
import { World } from './world.ts'

describe('calls', () => {
  it('answers over a link', async () => {
    const world = new World()
    const [a, b] = [world.start('a'), world.start('b')]
    world.link('a', 'b')
    b.registry.join('echo', b.pid(3))
    world.settle()
    const answer = a.router.call({ group: 'echo' }, { text: 'hello' }, { from: a.pid(9) })
    world.settle()
    const { envelope } = b.envelopes[0]!
    expect(envelope.message).toEqual({ text: 'hello' })
    expect(String(envelope.from)).toBe('a/1/0/9')
    envelope.reply(['heard', 1])
    world.settle()
    expect(await answer).toEqual(['heard', 1])
  })
})
