/**
 * A disk in memory, with two images of every file: what was written, which reads see, and what was synced, which a crash keeps.
 *
 *   write ─▶ written image, pending ──sync──▶ synced image
 *                              └──crash──▶ of each pending write: all, a part, or nothing, in any order
 *
 * It fails as disks do: no room, errors on write, and on sync, after which what was pending counts as clean and is lost by the next
 * crash however often one syncs again. Bits rot on demand. Invariant: after a crash every byte is one that was synced there, or that a
 * pending write meant for that place.
 * Source: Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020; lazyfs.
 */
import type { Timers } from '../../../transport/index.ts'
import type { SeededRandom } from '../world/random.ts'

export interface DiskOptions {
  readonly random: SeededRandom
  readonly timers: Timers
  readonly bytesMax?: number
  /** How long a sync takes. */
  readonly syncMs?: number
  /** What is written whole or not at all; a write that is torn is cut at a multiple of it. */
  readonly sectorBytes?: number
}

export type DiskErrorCode = 'ENOSPC' | 'EIO' | 'ENOENT'

export class DiskError extends Error {
  readonly code: DiskErrorCode

  constructor(code: DiskErrorCode, doing: string) {
    super(`${doing}: ${code}`)
    this.code = code
  }
}

interface Write {
  readonly at: number
  readonly bytes: Uint8Array
}

interface File {
  written: Buffer
  synced: Buffer
  pending: Write[]
  /** Its name outlives a crash. */
  isNameSynced: boolean
}

export class Disk {
  /** Writes that fail from now on. */
  failingWrites = 0
  /** Syncs that fail from now on. */
  failingSyncs = 0
  /** Those of the machine that uses the disk now; a new start of it brings its own. */
  timers: Timers
  readonly #options: Required<DiskOptions>
  readonly #files = new Map<string, File>()
  #crashes = 0

  constructor(options: DiskOptions) {
    this.timers = options.timers
    this.#options = { bytesMax: 2 ** 30, syncMs: 2, sectorBytes: 512, ...options }
  }

  /** The names of the files, in order. */
  get names(): string[] {
    return [...this.#files.keys()].sort()
  }

  /** Bytes in all files, as written. */
  get bytes(): number {
    let bytes = 0
    for (const { written } of this.#files.values()) bytes += written.length
    return bytes
  }

  size(name: string): number {
    return this.#file(name).written.length
  }

  /** Bytes from `at` on; fewer at the end of the file. @throws DiskError ENOENT */
  read(name: string, at = 0, length = Number.POSITIVE_INFINITY): Buffer {
    return Buffer.from(this.#file(name).written.subarray(at, at + length))
  }

  /** Writes at a place of a file, which is made if it is not there. @throws DiskError ENOSPC or EIO, and nothing is written */
  write(name: string, at: number, bytes: Uint8Array): void {
    if (this.failingWrites > 0) {
      this.failingWrites--
      throw new DiskError('EIO', `write ${name}`)
    }
    const size = this.#files.get(name)?.written.length ?? 0
    const grownBytes = Math.max(0, at + bytes.length - size)
    if (this.bytes + grownBytes > this.#options.bytesMax) throw new DiskError('ENOSPC', `write ${name}`)
    const none = Buffer.alloc(0)
    const file = this.#files.get(name) ?? { written: none, synced: none, pending: [], isNameSynced: false }
    this.#files.set(name, file)
    const write = { at, bytes: Uint8Array.from(bytes) }
    file.written = applied(file.written, write)
    file.pending.push(write)
  }

  /** Writes behind the end of a file. @throws DiskError as {@link write} */
  append(name: string, bytes: Uint8Array): void {
    this.write(name, this.#files.get(name)?.written.length ?? 0, bytes)
  }

  /** Takes a file away, at once and for good. */
  remove(name: string): void {
    this.#files.delete(name)
  }

  /**
   * Resolves when all that was written to the file before this call survives a crash.
   * Rejects with a DiskError EIO; then it never will, although reads still show it.
   */
  sync(name: string): Promise<void> {
    const file = this.#file(name)
    const covered = file.pending.length
    const crashes = this.#crashes
    return new Promise((resolve, reject) => {
      this.timers.after(this.#options.syncMs, () => {
        if (crashes !== this.#crashes) return
        const writes = file.pending.splice(0, covered)
        if (this.failingSyncs > 0) {
          this.failingSyncs--
          reject(new DiskError('EIO', `sync ${name}`))
          return
        }
        for (const write of writes) file.synced = applied(file.synced, write)
        file.isNameSynced = true
        resolve()
      })
    })
  }

  /** The power goes: what was synced stays, and of the rest whatever the disk happened to have done. */
  crash(): void {
    const { random } = this.#options
    this.#crashes++
    for (const [name, file] of this.#files) {
      const isKept = file.isNameSynced || random.chance(0.5)
      if (!isKept) this.#files.delete(name)
      // Pages reach the disk in no order.
      for (const write of random.sample(file.pending, file.pending.length)) {
        const kept = this.#survived(write)
        if (kept !== undefined) file.synced = applied(file.synced, kept)
      }
      file.pending = []
      file.written = Buffer.from(file.synced)
      file.isNameSynced = true
    }
  }

  /** A bit turns over, in both images: what only a checksum can find. */
  rot(name: string, bit: number): void {
    const file = this.#file(name)
    for (const image of [file.written, file.synced]) {
      const at = bit >>> 3
      if (at < image.length) image[at]! ^= 1 << (bit & 7)
    }
  }

  /** All, a part, or nothing of a pending write. */
  #survived({ at, bytes }: Write): Write | undefined {
    const { random, sectorBytes } = this.#options
    const luck = random.next()
    if (luck < 0.4) return undefined
    if (luck < 0.7) return { at, bytes }
    const firstCut = sectorBytes - (at % sectorBytes)
    const cuts = Math.ceil(Math.max(0, bytes.length - firstCut) / sectorBytes)
    const length = firstCut + random.below(cuts + 1) * sectorBytes
    return { at, bytes: bytes.subarray(0, length) }
  }

  #file(name: string): File {
    const file = this.#files.get(name)
    if (file === undefined) throw new DiskError('ENOENT', `open ${name}`)
    return file
  }
}

/** An image with a write in it; a gap is filled with zeros. */
function applied(image: Buffer, { at, bytes }: Write): Buffer {
  const changed = Buffer.alloc(Math.max(image.length, at + bytes.length))
  changed.set(image)
  changed.set(bytes, at)
  return changed
}
