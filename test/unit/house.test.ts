/**
 * The house's own rules: imports run one way, each folder has one door, and each folder says what it is for.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const mayImport: Record<string, readonly string[]> = {
  'cluster-config': [],
  transport: [],
  routing: ['transport'],
  node: ['transport', 'routing', 'cluster-config'],
  ops: ['transport', 'routing', 'cluster-config', 'node'],
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(folder, name))
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found = text.matchAll(/(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g)
  return [...found].map(match => relative(root, resolve(root, dirname(file), match[1]!)))
}

describe('the house', () => {
  for (const [folder, allowed] of Object.entries(mayImport)) {
    test(`${folder} imports only ${allowed.join(', ') || 'itself'}, and only by the door`, () => {
      const files = sources(folder)
      expect(files.length).toBeGreaterThan(0)
      const wrong: string[] = []
      for (const file of files) {
        for (const target of importsOf(file)) {
          const room = target.split('/')[0]!
          if (room === folder) continue
          const door =
            target === `${room}/index.ts` || target === 'node/client/index.ts' || target === 'package.json'
          if (target !== 'package.json' && !allowed.includes(room)) wrong.push(`${file} imports ${target}`)
          else if (!door) wrong.push(`${file} goes round the door: ${target}`)
        }
      }
      expect(wrong).toEqual([])
    })

    test(`${folder} says what it does and what it does not do`, () => {
      expect(existsSync(join(root, folder, 'README.md'))).toBe(true)
      expect(readFileSync(join(root, folder, 'README.md'), 'utf8')).toMatch(/does not do/i)
    })
  }

  test('time, random numbers and sockets come in through ports', () => {
    const wrong: string[] = []
    const real =
      /\b(Date\.now|Math\.random|setTimeout|setInterval|setImmediate)\b|from 'node:(net|tls|dgram)'/
    const platform = [/^transport\/ports\.ts$/, /^transport\/carriers\//, /^node\/storage\/sqlite/]
    for (const file of ['transport', 'routing', 'node'].flatMap(sources)) {
      if (platform.some(pattern => pattern.test(file))) continue
      for (const [at, line] of readFileSync(join(root, file), 'utf8').split('\n').entries()) {
        if (/^\s*(\*|\/\/|\/\*)/.test(line)) continue
        if (real.test(line)) wrong.push(`${file}:${at + 1}: ${line.trim()}`)
      }
    }
    expect(wrong).toEqual([])
  })
})
