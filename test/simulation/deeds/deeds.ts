/** All deeds by name. */
import type { Deed } from './deed.ts'
import { faults } from './faults.ts'
import { work } from './work.ts'

export const deeds: Readonly<Record<string, Deed>> = { ...work, ...faults }
export { faults, work }
