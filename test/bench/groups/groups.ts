/**
 * groups: process groups beside OTP's `pg`; one node, or two over loopback TCP.
 *
 * What each system does in each case, so that a figure means the same in both, is in docs/figures-groups.md.
 */
import type { Bench } from '../bench.ts'
import { erlang } from './systems/erlang.ts'
import { map } from './systems/map.ts'
import { wandist } from './systems/wandist.ts'

export const groups: Bench = {
  name: 'groups',
  about: 'process groups on one node or two; peers: erlang (pg), map (a bare Map, for route)',
  ours: wandist,
  peers: [erlang, map],
}
