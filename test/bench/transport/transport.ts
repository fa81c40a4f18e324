/**
 * transport: messages between two nodes, each in a process of its own, over loopback TCP.
 *
 * In every system a message is a byte string, encoded by its sender and decoded by its receiver; what each promises
 * beyond that is in docs/figures.md. Cases: `cases/`; systems: `systems/`.
 */
import type { Bench } from '../bench.ts'
import { erlang } from './systems/erlang.ts'
import { iperf3 } from './systems/iperf3.ts'
import { loopback } from './systems/loopback.ts'
import { moleculer } from './systems/moleculer.ts'
import { nats } from './systems/nats.ts'
import { wandist } from './systems/wandist.ts'

export const transport: Bench = {
  name: 'transport',
  about: 'messages between two nodes over loopback TCP; peers: erlang, nats, moleculer, loopback, iperf3',
  ours: wandist,
  peers: [erlang, nats, moleculer, loopback, iperf3],
}
