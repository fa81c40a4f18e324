/**
 * What must be right before anything is started: the configuration, the lines, and a meta-cluster that phones can live in.
 */
import { embeddedConfig, loadConfigFile, Topology } from '../../cluster-config/index.ts'
import { CliError, exitCode } from '../cli/exit-code.ts'
import { readLines, shippedLines } from './script/lines.ts'
import type { Place } from './script/people.ts'

/**
 * Reads the configuration; the embedded one when no file is named.
 * @throws ConfigError
 */
export async function readTopology(config: string | undefined): Promise<Topology> {
  return new Topology(config === undefined ? embeddedConfig() : (await loadConfigFile(config)).config)
}

/**
 * Reads what the phones say; what comes along when no file is named.
 * @throws CliError `missing`
 */
export function readTalk(file: string | undefined): readonly string[] {
  try {
    return readLines(file ?? shippedLines)
  } catch (error) {
    throw new CliError(exitCode.missing, `dev up: ${(error as Error).message}`)
  }
}

/** @throws CliError `badConfiguration` when phones cannot live in this meta-cluster */
export function checkPhones(topology: Topology): void {
  const refuse = (why: string) =>
    new CliError(exitCode.badConfiguration, `dev up: ${why}; --no-phones starts the nodes alone`)
  if (placesOf(topology).length === 0) throw refuse('no chat node has an address for phones')
  if (topology.service('mailbox') === undefined) throw refuse('no service mailbox')
  if (topology.config.services.accounts?.pin !== 'reply') {
    throw refuse('phones need services.accounts.pin: reply')
  }
}

/** Where phones can connect. */
export function placesOf(topology: Topology): readonly Place[] {
  return topology.withRole('chat').flatMap(({ name, datacenter, phones }) => {
    return phones === undefined ? [] : [{ node: name, datacenter, address: phones }]
  })
}
