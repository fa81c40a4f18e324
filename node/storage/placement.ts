/**
 * The placement that a store's records were written under: how many partitions its service had, and which of them its island held.
 *
 * A record's key names its partition. Under another count users hash to other partitions, and of a partition that moved to another island
 * nobody would ask here: what is kept would lie where nobody looks, undelivered, and unknown to be so. So the placement stands beside the
 * records from the first start on, and a node does not start on one that leaves some of them behind.
 */
import { type Store, StoreError } from './store.ts'

const placementKey = 'placement'

export interface KeptPlacement {
  /** Of the whole service, at least 1. */
  readonly partitions: number
  /** Those that the island holds, in rising order. */
  readonly held: readonly number[]
}

/**
 * Checks a service's placement against the store's, and leaves it there when it is new; call it before anything else is read. Rejects with a
 * {@link StoreError} `other-placement`, or as `load` and `put` do.
 * @param service for the message
 */
export async function checkPlacement(store: Store, service: string, now: KeptPlacement): Promise<void> {
  const kept = (await store.load(placementKey)).find(([key]) => key === placementKey)
  if (kept !== undefined) {
    const before = read(kept[1])
    if (before?.partitions !== now.partitions)
      throw refusal(
        service,
        `are of ${before?.partitions ?? 'an unreadable number of'} partitions, the configuration says ${now.partitions}; put the old number back`,
      )
    const held = new Set(now.held)
    const left = before.held.filter(partition => !held.has(partition))
    if (left.length > 0)
      throw refusal(
        service,
        `are also of ${left.length === 1 ? 'partition' : 'partitions'} ${left.join(', ')}, which the configuration puts on another island; put them back`,
      )
    if (before.held.length === now.held.length) return
  }
  store.put(placementKey, new TextEncoder().encode(JSON.stringify(now)), true)
}

function refusal(service: string, why: string): StoreError {
  return new StoreError(
    'other-placement',
    `start ${service}: the records in its store ${why}, or move the directory away once it is empty`,
  )
}

/** An earlier version kept the count alone: then nobody knows of a partition that left. */
function read(value: Uint8Array): KeptPlacement | undefined {
  try {
    const { partitions, held = [] } = JSON.parse(new TextDecoder().decode(value)) as Partial<KeptPlacement>
    const isWhole = Array.isArray(held) && held.every(partition => Number.isSafeInteger(partition))
    return Number.isSafeInteger(partitions) && isWhole ? { partitions: partitions!, held } : undefined
  } catch {
    return undefined
  }
}
