/** The planted bugs by name. */
import type { Plant } from './plant.ts'
import { mendedMishaps, registryFramePlants } from './registry-frames.ts'
import { routingPlants } from './routing.ts'
import { transportPlants } from './transport.ts'

const byName = (list: readonly Plant[]): Readonly<Record<string, Plant>> =>
  Object.fromEntries(list.map(plant => [plant.name, plant]))

export const plants = byName([...routingPlants, ...registryFramePlants, ...transportPlants])
/** What goes wrong in these is mended by the product, and found by nobody. */
export const mishaps = byName(mendedMishaps)
