/**
 * Publishing a configuration in Consul: what operators do, and the only thing here that writes the key.
 *
 * Checked before it is written, and written with compare-and-set: of two operators who publish at once, one is told.
 */
import { messageOf, sourceError } from './config-error.ts'
import { ConsulClient, type ConsulOptions, configKey } from './consul-client.ts'
import { parseConfig } from './yaml.ts'

/** How to publish. */
export interface PushOptions extends ConsulOptions {
  /**
   * Publish only over the content of this index, as `status().version` gives it; default: over whatever is there
   * now.
   */
  readonly over?: string | undefined
  /** Per question to Consul; default 5000. */
  readonly timeoutMs?: number | undefined
}

/**
 * Publishes a configuration under the key of its own `id`.
 *
 * @param text one YAML document
 * @param file how errors call it
 * @returns false when Consul holds exactly this text already
 * @throws {ConfigError} `invalid` (nothing was written), `conflict` (somebody else's was), `unavailable`
 */
export async function pushConfig(
  options: PushOptions,
  text: string,
  file = 'configuration',
): Promise<boolean> {
  const { id } = parseConfig(text, file)
  const { over, timeoutMs = 5_000 } = options
  const client = new ConsulClient(options)
  const place = `${client.url}/${configKey(id)}`
  try {
    const now = await client.readKey(configKey(id), timeoutMs)
    if (now.text === text) return false
    const expected = over !== undefined ? BigInt(over) : now.text === undefined ? 0n : now.index
    if (await client.writeKey(configKey(id), text, expected, timeoutMs)) return true
  } catch (error) {
    throw sourceError('unavailable', place, messageOf(error))
  } finally {
    client.close()
  }
  throw sourceError('conflict', place, 'changed in the meantime; nothing was written')
}
