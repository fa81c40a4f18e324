/**
 * A node's creation: which start of that name it is. Two starts of one node differ, so a pid of the dead one cannot reach the new.
 * Erlang's creation is a number handed out by epmd; ours is the time of the start, which needs nobody.
 */
import type { Clock } from './ports.ts'

const epochMs = Date.UTC(2024, 0, 1)

/** Deciseconds since 2024-01-01 UTC, u32, never 0 (0 means "not linked"); lasts until 2037. */
export function newCreation(clock: Clock): number {
  return Math.max(1, Math.floor((clock.wallMs() - epochMs) / 100) >>> 0)
}
