/**
 * The placement that a store's records were written under: how many partitions its service had.
 *
 * A record's key names its partition. Under another count users hash to other partitions, and what is kept for them
 * would lie where nobody looks: undelivered, and unknown to be so. So the count stands beside the records from the
 * first start on, and a node does not start on another one.
 */
import { type Store, StoreError } from './store.ts'

const placementKey = 'placement'

/**
 * Checks the count of partitions against the store's, or leaves it there at the first start; call it before anything
 * else is read. Rejects with a {@link StoreError} `other-placement`, or as `load` and `put` do.
 * @param service for the message
 * @param partitions of the whole service, at least 1
 */
export async function checkPlacement(store: Store, service: string, partitions: number): Promise<void> {
  const kept = (await store.load(placementKey)).find(([key]) => key === placementKey)
  if (kept === undefined) {
    store.put(placementKey, new TextEncoder().encode(JSON.stringify({ partitions })), true)
    return
  }
  const before = partitionsOf(kept[1])
  if (before === partitions) return
  throw new StoreError(
    'other-placement',
    `start ${service}: the records in its store are of ${before ?? 'an unreadable number of'} partitions, ` +
      `the configuration says ${partitions}; put the old number back, or move the directory away once it is empty`,
  )
}

function partitionsOf(value: Uint8Array): number | undefined {
  try {
    const { partitions } = JSON.parse(new TextDecoder().decode(value)) as { partitions?: unknown }
    return Number.isSafeInteger(partitions) ? (partitions as number) : undefined
  } catch {
    return undefined
  }
}
