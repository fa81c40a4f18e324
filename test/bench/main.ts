/**
 * `npm run bench -- NAME [--json] [--peers] [--rounds N] [--seconds S]`: runs one benchmark and prints its figures.
 */
import { parseArgs } from 'node:util'
import { type Bench, measure, type Row } from './bench.ts'
import { messages } from './messages/messages.ts'
import { transport } from './transport/transport.ts'

const benches: readonly Bench[] = [transport, messages]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
  },
})
const bench = benches.find(({ name }) => name === positionals[0])
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)]
if (!bench || positionals.length !== 1 || !(rounds >= 1) || !(seconds > 0)) {
  const list = benches.map(({ name, about }) => `  ${name.padEnd(12)}${about}`).join('\n')
  console.error(`usage: npm run bench -- NAME [--json] [--peers] [--rounds N] [--seconds S]\n${list}`)
  process.exit(64)
}

const rows = await measure(bench, { rounds, seconds, peers: values.peers }, line => console.error(line))
if (values.json) for (const row of rows) console.log(JSON.stringify(row))
else for (const line of table(rows)) console.log(line)

/** Aligned lines, and for each figure of ours the ratio to each peer's. */
function table(rows: readonly Row[]): readonly string[] {
  return rows.map(row => {
    const ours = rows.find(
      other => other.system === 'wandist' && other.case === row.case && other.metric === row.metric,
    )
    const ratio = ours && ours !== row ? `wandist/${row.system} ${(ours.value / row.value).toFixed(2)}` : ''
    const value = row.value.toLocaleString('en', { maximumFractionDigits: 1 })
    return `${row.system.padEnd(10)}${row.case.padEnd(24)}${row.metric.padEnd(22)}${value.padStart(14)} ${row.unit.padEnd(12)}${ratio}`
  })
}
