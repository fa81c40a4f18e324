/** wandist's transport alone as in mesh.ts, without checksums: what `checksBlocks` costs. Ends only. */
import { meshEnds } from './mesh.ts'

export const ends = meshEnds({ checksBlocks: false })
