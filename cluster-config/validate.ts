/**
 * From any value to a checked configuration, or to everything that is wrong with it.
 *
 * The one place where the shape (schema.ts) and the cross checks (checks.ts) come together, and where zod's issues
 * become our own words: what was attempted, and the value that was found.
 */
import type { z } from 'zod'
import { crossChecks, type Finding } from './checks.ts'
import { ConfigError } from './config-error.ts'
import { type ClusterConfig, type ClusterConfigInput, shape } from './schema.ts'

/** What {@link validate} found: a configuration, or at least one finding. */
export type Validated = { readonly config: ClusterConfig } | { readonly findings: readonly Finding[] }

/** Checks `value` and fills in the defaults. Cross checks wait until every value is well-formed by itself. */
export function validate(value: unknown): Validated {
  const parsed = shape.safeParse(value)
  if (!parsed.success) return { findings: parsed.error.issues.flatMap(issue => describe(issue, value)) }
  const findings = crossChecks(parsed.data)
  return findings.length > 0 ? { findings } : { config: deepFreeze(parsed.data) }
}

/**
 * Checks a configuration that is already a value, as a program may build one.
 *
 * @param value what one may write in YAML, as objects
 * @param name how errors call it
 * @returns the configuration, complete and frozen
 * @throws {ConfigError} `invalid`
 */
export function clusterConfig(value: ClusterConfigInput, name = 'configuration'): ClusterConfig {
  const validated = validate(value)
  if ('config' in validated) return validated.config
  throw new ConfigError(
    'invalid',
    validated.findings.map(({ path, message }) => {
      return { file: name, line: undefined, column: undefined, key: printPath(path), message }
    }),
  )
}

/** `['talk', 0, 1]` as `talk[0][1]`; keys that are no plain words stand in quotes. */
export function printPath(path: readonly (string | number)[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`
      return (index === 0 ? '' : '.') + (/^[\w-]+$/.test(part) ? part : JSON.stringify(part))
    })
    .join('')
}

function describe(issue: z.core.$ZodIssue, document: unknown): Finding[] {
  const path = issue.path.map(part => (typeof part === 'number' ? part : String(part)))
  const value = valueAt(document, path)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => ({ path: [...path, key], message: 'unknown key' }))
    case 'invalid_key':
      return [{ path, message: issue.issues.map(inner => inner.message).join(', ') }]
    case 'invalid_value':
      return [{ path, message: `not one of ${issue.values.join(', ')}: ${show(value)}` }]
    case 'invalid_type':
      if (value === undefined) return [{ path, message: 'missing' }]
      if (issue.expected === 'tuple') return [{ path, message: `${issue.message}: ${show(value)}` }]
      return [{ path, message: `not ${kinds[issue.expected] ?? issue.expected}: ${show(value)}` }]
    default:
      return [{ path, message: `${issue.message}: ${show(value)}` }]
  }
}

const kinds: Record<string, string> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'a text',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
}

function valueAt(document: unknown, path: readonly (string | number)[]): unknown {
  let value = document
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string | number, unknown>)[part]
  }
  return value
}

/** A value as an error prints it: JSON, cut after 60 characters. */
function show(value: unknown): string {
  const text =
    typeof value === 'number' || typeof value === 'bigint'
      ? String(value)
      : (JSON.stringify(value) ?? 'nothing')
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner)
    Object.freeze(value)
  }
  return value
}
