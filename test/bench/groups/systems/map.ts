/** The ceiling of `route`: a Map that holds the answer for each key. */
import type { System } from '../../bench.ts'
import { routeFigure } from '../cases.ts'
import { Ends } from './wandist.ts'

export const map: System = {
  name: 'map',
  unavailable: async () => undefined,
  async run({ seconds, wants }) {
    if (!wants('route')) return []
    using ends = await Ends.start(1)
    return [routeFigure((await ends.owner({ do: 'map', seconds })).rate)]
  },
}
