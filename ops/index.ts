/**
 * ops: what people do with a node. The folder's door; the `wand` command has its own (cli/wand.js).
 */

export { Admin, type AdminOptions, startAdmin } from './admin.ts'
export { AdminError, type AdminErrorCode } from './admin-error.ts'
export { printMetrics } from './metrics.ts'
export { labelWidth, printRow, printRowHeader, printRowTime, type Row, rowOf } from './row.ts'
export { nodeSockets, openRunDirectory, runDirectory, socketPath } from './run-directory.ts'
export type { Sample } from './sample.ts'
