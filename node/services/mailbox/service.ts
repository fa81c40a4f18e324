/**
 * The mailbox service of a node: one process for each partition that its island owns, under a supervisor.
 *
 * Partitions share the store, the budget of bytes, and nothing else, so that one that fails harms its own users only.
 * Source: C14, C42.
 */
import type { Supervisor } from '../../runtime/supervisor.ts'
import type { IslandService, ServiceEnvironment } from '../environment.ts'
import { defaultMailboxOptions, type MailboxOptions } from './options.ts'
import { type Common, MailboxPartition } from './partition.ts'
import { type MailboxStats, sumMailboxStats } from './stats.ts'

export type MailboxService = IslandService<MailboxStats>

/**
 * Starts the partitions of `environment`; each joins `mailbox/<n>/replica` when it has read its records, and
 * `mailbox/<n>` when it has caught up.
 * @param options what differs from the defaults
 */
export function startMailboxService(
  environment: ServiceEnvironment,
  supervisor: Supervisor,
  options: Partial<MailboxOptions> = {},
): MailboxService {
  const all = { ...defaultMailboxOptions, ...options }
  const common: Common = {
    environment,
    options: all,
    budget: { bytes: 0, bytesMax: all.heldBytesMax },
    draining: false,
  }
  /** The living process of each partition; a restart replaces it. */
  const running = new Map<number, MailboxPartition>()
  for (const partition of environment.partitions) {
    const make = () => {
      const server = new MailboxPartition(partition, common)
      running.set(partition, server)
      return server
    }
    supervisor.start(make, { name: `mailbox/${partition}` })
  }
  return {
    get caughtUp() {
      return [...running.values()].every(server => server.caughtUp)
    },
    get stats() {
      return sumMailboxStats([...running.values()].map(server => server.stats))
    },
    async drain() {
      common.draining = true
      await Promise.all([...running.values()].map(server => server.drain()))
      try {
        await environment.store.sync()
      } catch (error) {
        if (![...running.values()].every(server => server.isSettled)) throw error
        environment.log.warn(
          { err: error },
          'mailbox drained to the partner; the disk does not have everything',
        )
      }
    },
  }
}
