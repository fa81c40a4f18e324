/**
 * The accounts service of one node: starts the partitions that its island owns, and speaks for them together.
 */
import { realPorts } from '../../../transport/index.ts'
import type { Supervisor } from '../../runtime/supervisor.ts'
import type { IslandService, ServiceEnvironment } from '../environment.ts'
import { Accounts, replicaGroup, servingGroup } from './accounts.ts'
import type { AccountsOptions } from './options.ts'

/** Sums over the partitions of this node. */
export interface AccountsStats {
  /** Users with a record. */
  readonly users: number
  /** PINs that wait to be confirmed. */
  readonly pendingPins: number
  /** Records that a partner in reach has not confirmed yet. */
  readonly unconfirmed: number
}

export type AccountsService = IslandService<AccountsStats>

/**
 * Starts the partitions under `supervisor`.
 * Unless told otherwise, PINs go to the log, one line each, and random numbers are the machine's.
 */
export function startAccountsService(
  environment: ServiceEnvironment,
  supervisor: Supervisor,
  options: Partial<AccountsOptions> & Pick<AccountsOptions, 'pin'>,
): AccountsService {
  const filled: AccountsOptions = {
    random: realPorts.random,
    onPin: (user, pin) => environment.log.info({ user, pin }, 'pin'),
    ...options,
  }
  // The process of each partition now; a restart by the supervisor puts a new one here.
  const partitions = new Map<number, Accounts>()
  let draining = false
  for (const partition of environment.partitions) {
    const make = () => {
      const accounts = new Accounts(partition, environment, filled, draining)
      partitions.set(partition, accounts)
      return accounts
    }
    supervisor.start(make, { name: servingGroup(partition), groups: [replicaGroup(partition)] })
  }
  return {
    get caughtUp() {
      return [...partitions.values()].every(accounts => accounts.caughtUp)
    },
    get stats() {
      const sum = { users: 0, pendingPins: 0, unconfirmed: 0 }
      for (const { stats } of partitions.values()) {
        sum.users += stats.users
        sum.pendingPins += stats.pendingPins
        sum.unconfirmed += stats.unconfirmed
      }
      return sum
    },
    async drain() {
      draining = true
      await Promise.all([...partitions.values()].map(accounts => accounts.drain()))
    },
  }
}
