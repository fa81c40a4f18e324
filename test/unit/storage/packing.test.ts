import fc from 'fast-check'
import { expect, it } from 'vitest'
import { pack, unpack } from '../../../node/storage/packing.ts'

it('unpacks what was packed, removals and empty values included', () => {
  const record = fc.tuple(fc.uint8Array(), fc.option(fc.uint8Array(), { nil: undefined }))
  fc.assert(
    fc.property(fc.array(record), records => {
      expect([...unpack(pack(records))]).toEqual(records)
    }),
    { numRuns: 200 },
  )
})
