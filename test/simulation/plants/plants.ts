/** The planted bugs by name. */
import type { Plant } from './plant.ts'
import { routingPlants } from './routing.ts'
import { transportPlants } from './transport.ts'

export const plants: Readonly<Record<string, Plant>> = Object.fromEntries(
  [...routingPlants, ...transportPlants].map(plant => [plant.name, plant]),
)
