/** One of wandist's nodes as scripts use it: mesh, registry and router, wired as on a node, and processes by a script's names. */
import { Channel, Pid, Registry, Router, type RoutingOptions } from '../../routing/index.ts'
import { type CloseReason, Mesh, type MeshOptions, type Ports } from '../../transport/index.ts'

export interface PgNodeOptions {
  readonly name: string
  readonly creation: number
  readonly ports: Ports
  readonly mesh: MeshOptions
  readonly limits: RoutingOptions
}

/** As on a node: whoever said goodbye is not waited for. */
const orderlyEnds: readonly CloseReason[] = ['goodbye', 'local-stop', 'removed']
const here = { cluster: 'main', datacenter: 'dc1' }

export class PgNode {
  readonly name: string
  readonly mesh: Mesh
  readonly registry: Registry
  readonly #router: Router
  readonly #creation: number
  readonly #pids = new Map<string, Pid>()

  constructor({ name, creation, ports, mesh, limits }: PgNodeOptions) {
    const self = { node: name, creation, ports, limits }
    this.name = name
    this.#creation = creation
    this.registry = new Registry({ ...self, place: () => here, published: () => false })
    this.#router = new Router({
      ...self,
      registry: this.registry,
      linkTo: other => this.mesh.peer(other),
      deliver: () => false,
      services: () => new Map(),
    })
    this.mesh = new Mesh({ clusterId: 'scripts', node: name, creation, version: '1' }, mesh, ports, {
      up: peer => this.registry.peerUp(peer),
      down: (peer, reason) => {
        this.registry.peerDown(peer, { isOrderly: orderlyEnds.includes(reason) })
        this.#router.peerDown(peer)
      },
      message: (peer, channel, body) => {
        if (channel === Channel.registry) this.registry.receive(peer, body)
        else this.#router.receive(peer, body)
      },
    })
  }

  /** What joining returned, in pg's words. */
  join(process: string, group: string): string {
    this.registry.join(group, this.#pid(process))
    return 'ok'
  }

  leave(process: string, group: string): string {
    return this.registry.leave(group, this.#pid(process)) ? 'ok' : 'not_joined'
  }

  kill(process: string): void {
    this.registry.leaveAll(this.#pid(process))
  }

  /** A script's name of a process of this node. */
  processOf(pid: string): string | undefined {
    return this.#pids.entries().find(([, known]) => known.toString() === pid)?.[0]
  }

  /** Ends everything; the caller has seen to it that nobody is told, if it is a crash. */
  async stop(): Promise<void> {
    this.#router.stop()
    this.registry.stop()
    await this.mesh.stop()
  }

  #pid(process: string): Pid {
    let pid = this.#pids.get(process)
    if (!pid) {
      pid = new Pid(this.name, this.#creation, 0, this.#pids.size + 1)
      this.#pids.set(process, pid)
    }
    return pid
  }
}
