/**
 * Reed's status row: the one printed form of a node, in `wand wsar`, in the live view, in a simulation's log.
 *
 * Two samples make a row of numbers; a row and a label make a line. Pure. A line is as wide as every other, so that
 * columns of figures can be read downwards: what does not fit is shortened to k, M or G.
 * Source: R14 s8 and s7, column by column; `eld99`, `conns` and `drop` are ours.
 */
import { delayQuantileMs } from './loop-watch.ts'
import type { Sample } from './sample.ts'

/** A row in numbers. Rates are per second of the time between the two samples; 0 where there was only one. */
export interface Row {
  readonly node: string
  /** Milliseconds since 1970. */
  readonly timeMs: number
  /** Nodes linked, inside the own cluster. */
  readonly nodes: number
  readonly qlen: number
  readonly qmax: number
  readonly nzq: number
  readonly recvPerS: number
  readonly msginPerS: number
  readonly msgoutPerS: number
  readonly queueBytes: number
  readonly waninPerS: number
  readonly wanoutPerS: number
  /** Nodes linked, in other clusters. */
  readonly wanNodes: number
  readonly wanQueueBytes: number
  /** How busy the event loop was. */
  readonly schedPercent: number
  /** 99 % of the loop's ticks were not later than this. */
  readonly eld99Ms: number
  readonly gcPerS: number
  readonly memBytes: number
  readonly connections: number
  readonly dropPerS: number
}

/**
 * Reckons a row.
 *
 * @param previous an earlier sample of the same node; without one, or with another start's, rates are those since the start
 * @param sample what is true now
 */
export function rowOf(previous: Sample | undefined, sample: Sample): Row {
  const before = previous?.creation === sample.creation ? previous : undefined
  const seconds = (sample.uptimeMs - (before?.uptimeMs ?? 0)) / 1_000
  const rate = (count: (sample: Sample) => number) =>
    seconds <= 0 ? 0 : Math.max(0, count(sample) - (before ? count(before) : 0)) / seconds
  const activeMs = sample.loop.activeMs - (before?.loop.activeMs ?? 0)
  const idleMs = sample.loop.idleMs - (before?.loop.idleMs ?? 0)
  const delays = sample.loop.delayCounts.map((count, at) => count - (before?.loop.delayCounts[at] ?? 0))
  return {
    node: sample.node,
    timeMs: sample.wallMs,
    nodes: sample.own.nodes,
    qlen: sample.queueLength,
    qmax: sample.queueLengthMax,
    nzq: sample.queuesNotEmpty,
    recvPerS: rate(({ handled }) => handled),
    msginPerS: rate(({ own }) => own.received),
    msgoutPerS: rate(({ own }) => own.written),
    queueBytes: sample.own.queueBytes,
    waninPerS: rate(({ wan }) => wan.received),
    wanoutPerS: rate(({ wan }) => wan.written),
    wanNodes: sample.wan.nodes,
    wanQueueBytes: sample.wan.queueBytes,
    schedPercent: activeMs + idleMs > 0 ? (100 * activeMs) / (activeMs + idleMs) : 0,
    eld99Ms: delayQuantileMs(delays, 0.99),
    gcPerS: rate(({ loop }) => loop.gcRuns),
    memBytes: sample.residentBytes,
    connections: sample.connections,
    dropPerS: rate(({ dropped }) => dropped),
  }
}

interface Column {
  readonly title: string
  readonly width: number
  readonly value: (row: Row) => number
  readonly decimals?: number
}

const kb = (bytes: number) => bytes / 1_000

const groups: readonly (readonly [title: string, columns: readonly Column[]])[] = [
  ['own', [{ title: 'nodes', width: 5, value: row => row.nodes }]],
  [
    'msg',
    [
      { title: 'qlen', width: 5, value: row => row.qlen },
      { title: 'qmax', width: 5, value: row => row.qmax },
      { title: 'nzq', width: 4, value: row => row.nzq },
      { title: 'recv', width: 6, value: row => row.recvPerS },
    ],
  ],
  [
    'dist',
    [
      { title: 'msgin', width: 6, value: row => row.msginPerS },
      { title: 'msgout', width: 6, value: row => row.msgoutPerS },
      { title: 'kbq', width: 5, value: row => kb(row.queueBytes) },
    ],
  ],
  [
    'wan',
    [
      { title: 'wanin', width: 6, value: row => row.waninPerS },
      { title: 'wanout', width: 6, value: row => row.wanoutPerS },
      { title: 'nodes', width: 5, value: row => row.wanNodes },
      { title: 'kbq', width: 5, value: row => kb(row.wanQueueBytes) },
    ],
  ],
  [
    'sched',
    [
      { title: '%util', width: 5, value: row => row.schedPercent, decimals: 1 },
      { title: 'eld99', width: 5, value: row => row.eld99Ms, decimals: 1 },
    ],
  ],
  ['gc', [{ title: '/sec', width: 4, value: row => row.gcPerS }]],
  ['mem', [{ title: 'tot Mb', width: 6, value: row => row.memBytes / 1e6 }]],
  ['phones', [{ title: 'conns', width: 6, value: row => row.connections }]],
  ['drop', [{ title: '/sec', width: 4, value: row => row.dropPerS }]],
]

/** How wide the label before the bar is unless one says otherwise: a time, or a node of the default configuration. */
export const labelWidth = 14

/**
 * The two lines above rows.
 *
 * @param top what stands above the labels, `what` the labels are, such as `time` or `node`
 */
export function printRowHeader(top: string, what: string, width = labelWidth): readonly [string, string] {
  const groupTitles = groups.map(([title, columns]) => title.padEnd(groupWidth(columns), '-'))
  const titles = groups.map(([, columns]) =>
    columns.map(({ title, width: cell }) => title.padStart(cell)).join(' '),
  )
  return [
    `${top.slice(0, width).padEnd(width)} | ${groupTitles.join(' ')}`,
    `${what.slice(0, width).padEnd(width)} | ${titles.join(' ')}`,
  ]
}

/** One row as a line; `label` is the time, or the node's name. */
export function printRow(row: Row, label: string, width = labelWidth): string {
  const cells = groups.map(([, columns]) =>
    columns.map(column => fit(column.value(row), column.width, column.decimals ?? 0)).join(' '),
  )
  return `${label.slice(0, width).padEnd(width)} | ${cells.join(' ')}`
}

/** The time of a row as the slide prints it, `02/25 07:30:01`, in local time. */
export function printRowTime(timeMs: number): string {
  const time = new Date(timeMs)
  const two = (number: number) => String(number).padStart(2, '0')
  const day = `${two(time.getMonth() + 1)}/${two(time.getDate())}`
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
}

function groupWidth(columns: readonly Column[]): number {
  return columns.reduce((total, { width }) => total + width + 1, -1)
}

const units = ['k', 'M', 'G', 'T', 'P', 'E']

/** A number in exactly `width` characters: without its decimals, then by thousands, until it fits. */
function fit(value: number, width: number, decimals: number): string {
  const shortened = units.map((unit, at) => (value / 1_000 ** (at + 1)).toFixed(0) + unit)
  const texts = [value.toFixed(decimals), value.toFixed(0), ...shortened]
  return (texts.find(text => text.length <= width) ?? '>'.repeat(width)).padStart(width)
}
