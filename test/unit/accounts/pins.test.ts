import { describe, expect, it } from 'vitest'
import { PendingPins, pendingMax, pinLifetimeMs, pinTriesMax } from '../../../node/services/accounts/pins.ts'

describe('pending PINs', () => {
  it('are right once', () => {
    const pins = new PendingPins()
    pins.issue('ann', '123456', 0)
    expect(pins.confirm('ann', '123456', 1)).toBe('right')
    expect(pins.confirm('ann', '123456', 2)).toBe('none')
  })

  it('bear five tries, which registering again does not renew', () => {
    const pins = new PendingPins()
    pins.issue('ann', '123456', 0)
    for (let tried = 0; tried < pinTriesMax - 1; tried++)
      expect(pins.confirm('ann', '000000', 1)).toBe('wrong')
    expect(pins.issue('ann', '654321', 2)).toBe('issued')
    expect(pins.confirm('ann', '123456', 3)).toBe('wrong')
    expect(pins.confirm('ann', '654321', 4)).toBe('too-many-tries')
    expect(pins.issue('ann', '111111', 5)).toBe('too-many-tries')
    expect(pins.issue('ann', '111111', 2 + pinLifetimeMs)).toBe('issued')
    expect(pins.confirm('ann', '111111', 3 + pinLifetimeMs)).toBe('right')
  })

  it('end after ten minutes, whatever was tried meanwhile', () => {
    const pins = new PendingPins()
    pins.issue('ann', '123456', 0)
    pins.confirm('ann', '000000', pinLifetimeMs - 1)
    expect(pins.confirm('ann', '123456', pinLifetimeMs)).toBe('none')
    expect(pins.size).toBe(0)
  })

  it('are so many and no more, and make room as they end', () => {
    const pins = new PendingPins()
    for (let index = 0; index < pendingMax; index++) pins.issue(`u${index}`, '123456', index)
    expect(pins.issue('one more', '123456', pendingMax)).toBe('full')
    expect(pins.issue('u0', '654321', pendingMax)).toBe('issued')
    pins.adopt('one more', { pin: '1', triesLeft: 5, expiresAtMs: 2 * pinLifetimeMs }, pendingMax)
    expect(pins.size).toBe(pendingMax)
    expect(pins.issue('one more', '123456', pinLifetimeMs + 1)).toBe('issued')
  })
})
