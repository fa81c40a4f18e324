/**
 * `npm run bench -- NAME [--peers] [--json] [--rounds N] [--seconds S] [--case NAME] [--system NAME]`: runs one
 * benchmark and prints its figures.
 */
import { parseArgs } from 'node:util'
import { type Bench, measure, nameOf, type Row } from './bench.ts'
import { groups } from './groups/groups.ts'
import { runtime } from './runtime/runtime.ts'
import { transport } from './transport/transport.ts'

const benches: readonly Bench[] = [transport, groups, runtime]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    case: { type: 'string', multiple: true },
    system: { type: 'string', multiple: true },
  },
})
const named = benches.find(({ name }) => name === positionals[0])
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)]
if (!named || positionals.length !== 1 || !(rounds >= 1) || !(seconds > 0)) {
  const list = benches.map(({ name, about }) => `  ${name.padEnd(12)}${about}`).join('\n')
  console.error(
    `usage: npm run bench -- NAME [--peers] [--json] [--rounds N] [--seconds S] [--case NAME]... [--system NAME]...\n${list}`,
  )
  process.exit(64)
}

const [ours, ...peers] = [named.ours, ...named.peers].filter(
  ({ name }) => values.system?.includes(name) ?? true,
)
if (!ours) {
  console.error(`no such system: ${values.system?.join(', ')}`)
  process.exit(64)
}
const wants = (name: string) => values.case?.includes(name) ?? true
const options = { rounds, seconds, wants, peers: values.peers }
const rows = await measure({ ...named, ours, peers }, options, line => console.error(line))
if (values.json) for (const row of rows) console.log(json(row))
else for (const line of table(rows)) console.log(line)

/** One object a line; parameters are fields of their own. */
function json({ bench, system, case: name, parameters, metric, value, unit, ...spread }: Row): string {
  return JSON.stringify({ bench, system, case: name, ...parameters, metric, value, unit, ...spread })
}

/** Aligned lines, what can be compared together, and behind each peer's figure the ratio of ours to it. */
function table(rows: readonly Row[]): readonly string[] {
  return [...Map.groupBy(rows, nameOf).values()].flat().map(row => {
    const ours = rows.find(other => other.system === 'wandist' && nameOf(other) === nameOf(row))
    const ratio = ours && ours !== row ? `wandist is ${(ours.value / row.value).toFixed(2)} of it` : ''
    const what = [
      row.case,
      ...Object.entries(row.parameters).map(([name, value]) => `${name} ${value}`),
    ].join(', ')
    const digits = Math.abs(row.value) < 10 ? 2 : 0
    const value = row.value.toLocaleString('en', { maximumFractionDigits: digits })
    return `${what.padEnd(42)}${row.metric.padEnd(24)}${row.system.padEnd(11)}${value.padStart(12)} ${row.unit.padEnd(12)}${ratio}`
  })
}
