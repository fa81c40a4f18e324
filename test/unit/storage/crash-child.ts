/** Child of the crash test: writes as fast as it can and prints the number of the last round that was synced. */
import { openSqliteStore } from '../../../node/storage/sqlite-store.ts'

const store = await openSqliteStore({ directory: process.argv[2]!, options: { syncDelayMs: 1 } })
for (let round = 1; ; round++) {
  for (let index = 0; index < 5; index++) store.put(`${round}/${index}`, new TextEncoder().encode(`${round}`))
  store.remove(`${round - 1}/0`)
  await store.sync()
  await new Promise(resolve => process.stdout.write(`${round}\n`, resolve))
}
