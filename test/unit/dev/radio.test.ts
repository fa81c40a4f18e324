import { describe, expect, test, vi } from 'vitest'
import { Radio } from '../../../ops/dev/radio.ts'
import { MemoryNetwork, realTimers, type Stream, type StreamHandler } from '../../../transport/index.ts'

/** A handler that notes what it is told. */
function owner(stream: Stream): string[] {
  const told: string[] = []
  const handler: StreamHandler = {
    onOpen: () => told.push('open'),
    onData: () => told.push('data'),
    onDrain: () => {},
    onClose: error => told.push(`closed: ${error}`),
  }
  stream.attach(handler)
  return told
}

describe('a radio', () => {
  async function network() {
    const memory = new MemoryNetwork({ timers: realTimers }).carrier('server')
    const dialled: string[] = []
    for (const address of ['home:1', 'away:1']) {
      await memory.listen(address, stream => {
        dialled.push(address)
        owner(stream)
      })
    }
    return { radio: new Radio(memory), dialled }
  }

  test('dials where the phone wants to while it is on', async () => {
    const { radio, dialled } = await network()
    const told = owner(radio.dial('home:1'))
    await vi.waitFor(() => expect(told).toEqual(['open']))
    expect(dialled).toEqual(['home:1'])
  })

  test('cuts the line when it goes off, and lets no other come about', async () => {
    const { radio, dialled } = await network()
    const told = owner(radio.dial('home:1'))
    await vi.waitFor(() => expect(told).toEqual(['open']))
    radio.off()
    await vi.waitFor(() => expect(told).toHaveLength(2))
    const inVain = owner(radio.dial('home:1'))
    await vi.waitFor(() => expect(inVain).toEqual(['closed: no signal']))
    expect(dialled).toEqual(['home:1'])
  })

  test('leads to another place once when it comes on there', async () => {
    const { radio, dialled } = await network()
    radio.off()
    radio.on('away:1')
    owner(radio.dial('home:1'))
    owner(radio.dial('home:1'))
    await vi.waitFor(() => expect(dialled).toEqual(['away:1', 'home:1']))
  })
})
