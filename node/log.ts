/**
 * The node's log: JSON lines through pino, with the node's name on each line.
 *
 * Below error the log speaks of events, never of single messages; user text and keys are never logged.
 */
import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger

/**
 * Makes a node's log.
 * @param level a pino level, or 'silent'
 * @param destination where lines go; standard error unless given
 */
export function makeLog(node: string, level: string, destination?: DestinationStream): Log {
  return pino(
    { level, base: { node }, timestamp: pino.stdTimeFunctions.isoTime },
    destination ?? pino.destination({ fd: 2, sync: true }),
  )
}
