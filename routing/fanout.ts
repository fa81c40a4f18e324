/**
 * One frame for several processes of a node: their list, which stands between header and message.
 *
 * The sender lists the very members that it sees, so a message has one fate for each of them, here and there, and nobody
 * is reached whom the sender could not have named. Hot. Invariant: a list is read only after its length was found to fit.
 * Layout: `targetIndex` of the header says how many; each is worker u8, index u32, big-endian.
 */
import type { Pid } from './address.ts'

/** Bytes of one listed process. */
export const targetBytes = 5

/** Writes `targets` from `start` to before `end` into `bytes`, from offset `at` on. */
export function writeTargets(
  bytes: Uint8Array,
  at: number,
  targets: readonly Pid[],
  start: number,
  end: number,
): void {
  for (let index = start; index < end; index++, at += targetBytes) {
    const target = targets[index]!
    bytes[at] = target.worker
    bytes[at + 1] = target.index >>> 24
    bytes[at + 2] = target.index >>> 16
    bytes[at + 3] = target.index >>> 8
    bytes[at + 4] = target.index
  }
}

/** The worker of the process listed at `at`. */
export function workerAt(bytes: Uint8Array, at: number): number {
  return bytes[at]!
}

/** The index of the process listed at `at`. */
export function indexAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) >>> 0
}

/** Where the run of processes that live on the same start of a node as `targets[end - 1]` begins, from `least` on. */
export function runStart(targets: readonly Pid[], end: number, least: number): number {
  const { node, creation } = targets[end - 1]!
  let start = end - 1
  while (start > least && targets[start - 1]!.node === node && targets[start - 1]!.creation === creation)
    start -= 1
  return start
}
