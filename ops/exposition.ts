/**
 * Writes Prometheus's text format: each metric once, with its help and type, then its samples.
 *
 * Invariant: whatever a label or a help text holds, the output parses; a value is a number that Prometheus knows.
 * Source: Prometheus, "Exposition formats", text version 0.0.4.
 */

/** What `Content-Type` says of it. */
export const expositionType = 'text/plain; version=0.0.4; charset=utf-8'

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'untyped'
export type Labels = Readonly<Record<string, string>>

/** One value of a metric; `suffix` is for histograms (`_bucket`, `_sum`, `_count`). */
export interface MetricSample {
  readonly value: number
  readonly labels?: Labels
  readonly suffix?: string
}

/** Collects metrics; `text` is the page. */
export class Exposition {
  #text = ''

  /** The page so far. */
  get text(): string {
    return this.#text
  }

  /** Adds a metric with all its samples; nothing where there are none. */
  add(name: string, type: MetricType, help: string, samples: readonly MetricSample[]): void {
    if (samples.length === 0) return
    this.#text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`
    for (const { value, labels, suffix } of samples) {
      this.#text += `${name}${suffix ?? ''}${printLabels(labels)} ${printValue(value)}\n`
    }
  }

  /** Adds a metric that has one value. */
  addOne(name: string, type: MetricType, help: string, value: number): void {
    this.add(name, type, help, [{ value }])
  }
}

/** `queueBytesMax` or `outer.inner` as a part of a metric's name: `queue_bytes_max`, `outer_inner`. */
export function metricName(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^a-zA-Z0-9_]+/g, '_')
    .toLowerCase()
}

function printLabels(labels: Labels | undefined): string {
  const entries = Object.entries(labels ?? {})
  if (entries.length === 0) return ''
  return `{${entries.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(',')}}`
}

function printValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
