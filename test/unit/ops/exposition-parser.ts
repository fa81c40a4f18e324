/**
 * A strict reader of Prometheus's text format, written from its description and sharing nothing with our writer.
 *
 * Throws on whatever a scraper might stumble over: samples without a type, a type given twice or late, bad names, bad
 * escapes, values that are no numbers, the same series twice.
 */
export interface Family {
  readonly type: string
  readonly help: string
  readonly samples: {
    readonly name: string
    readonly labels: Record<string, string>
    readonly value: number
  }[]
}

const nameText = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const sampleLine = new RegExp(`^(${nameText})(?:\\{(.*)\\})? (\\S+)$`)
const labelText = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/

export function parseExposition(page: string): Map<string, Family> {
  if (!page.endsWith('\n')) throw new Error('the last line has no line feed')
  const families = new Map<string, Family>()
  const series = new Set<string>()
  const helps = new Map<string, string>()
  for (const line of page.slice(0, -1).split('\n')) {
    const help = new RegExp(`^# HELP (${nameText}) (.*)$`).exec(line)
    if (help) {
      if (helps.has(help[1]!)) throw new Error(`help twice: ${line}`)
      helps.set(help[1]!, help[2]!)
      continue
    }
    const type = new RegExp(`^# TYPE (${nameText}) (counter|gauge|histogram|summary|untyped)$`).exec(line)
    if (type) {
      if (families.has(type[1]!)) throw new Error(`type twice: ${line}`)
      families.set(type[1]!, { type: type[2]!, help: helps.get(type[1]!) ?? '', samples: [] })
      continue
    }
    const match = sampleLine.exec(line)
    if (!match) throw new Error(`no sample: ${line}`)
    const [, name, labelsText, valueText] = match as unknown as [string, string, string | undefined, string]
    if (series.has(line.slice(0, line.lastIndexOf(' ')))) throw new Error(`the same series twice: ${line}`)
    series.add(line.slice(0, line.lastIndexOf(' ')))
    const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''))
    if (family === undefined) throw new Error(`sample before its type: ${line}`)
    if (family !== [...families.values()].at(-1)) throw new Error(`samples of a metric are apart: ${line}`)
    family.samples.push({ name, labels: parseLabels(labelsText ?? ''), value: parseValue(valueText) })
  }
  return families
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  let rest = text
  while (rest !== '') {
    const match = labelText.exec(rest)
    if (!match) throw new Error(`no label: ${rest}`)
    labels[match[1]!] = match[2]!.replace(/\\([\\"n])/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped))
    rest = rest.slice(match[0].length)
  }
  return labels
}

function parseValue(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  if (text === 'NaN') return Number.NaN
  if (!/^-?[0-9.]+(e[+-]?[0-9]+)?$/.test(text)) throw new Error(`no number: ${text}`)
  return Number(text)
}
