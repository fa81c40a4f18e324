/**
 * From YAML text to a checked configuration, with every error at its line.
 *
 * Keeps the parsed tree beside the value: a finding says which keys lead to it, the tree says where they stand. Used for
 * files, for what Consul holds, and for the kept copy alike.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
} from 'yaml'
import { ConfigError, messageOf, type Problem } from './config-error.ts'
import type { ClusterConfig } from './schema.ts'
import { printPath, validate } from './validate.ts'

/**
 * Parses and checks a configuration.
 *
 * @param text one YAML 1.2 document
 * @param file how errors call it
 * @returns the configuration, complete and frozen
 * @throws {ConfigError} `invalid`, with every problem at its line and column
 */
export function parseConfig(text: string, file: string): ClusterConfig {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  // A warning (an unknown tag, for example) means that the value is not what its author believes.
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0) {
    throw new ConfigError(
      'invalid',
      faults.map(fault => ({ file, ...at(fault.pos[0]), key: '', message: `not YAML: ${messageOf(fault)}` })),
    )
  }
  if (document.contents === null)
    throw new ConfigError('invalid', [{ file, ...at(0), key: '', message: 'empty' }])

  const validated = validate(plainValue(document, file))
  if ('config' in validated) return validated.config
  const problems = validated.findings.map(({ path, message }): Problem => {
    return { file, ...at(offsetOf(document, path)), key: printPath(path), message }
  })
  throw new ConfigError('invalid', problems.sort(byPlace))
}

/** The plain value; refuses documents whose aliases would unfold into something huge. */
function plainValue(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new ConfigError('invalid', [
      { file, line: 1, column: 1, key: '', message: `not YAML: ${messageOf(error)}` },
    ])
  }
}

/** Where the deepest part of `path` that is written down begins: a key in a map, an item in a list. */
function offsetOf(document: Document.Parsed, path: readonly (string | number)[]): number {
  let node: unknown = document.contents
  let offset = document.contents?.range[0] ?? 0
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap<ParsedNode, ParsedNode | null>(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === part)
      if (pair === undefined) break
      offset = pair.key.range[0]
      node = pair.value
    } else if (isSeq<ParsedNode>(node) && typeof part === 'number' && node.items[part] !== undefined) {
      node = node.items[part]
      offset = (node as ParsedNode).range[0]
    } else break
  }
  return offset
}

function byPlace(one: Problem, other: Problem): number {
  return (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0)
}
