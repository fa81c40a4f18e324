/**
 * A planted bug: what a product with that mistake would do, put around the real one as it is wired. The product itself is not touched.
 */
import type { Wires } from '../../../node/wiring.ts'
import type { MeshOptions, Ports } from '../../../transport/index.ts'
import type { SimNode } from '../world/node.ts'
import type { World } from '../world/world.ts'

export interface Plant {
  readonly name: string
  /** The mistake, in one line. */
  readonly mistake: string
  /** The checkers that may find it: whichever comes first. */
  readonly foundBy: readonly string[]
  ports?(ports: Ports, node: SimNode): Ports
  options?(options: MeshOptions, node: SimNode): MeshOptions
  wires?(wires: Wires, node: SimNode, world: World): void
}
