/** wandist without checksums on its links, as an operator may have it: what they cost. Ends only. */
import { wandistEnds } from './wandist.ts'

export const ends = wandistEnds({ checksums: false })
