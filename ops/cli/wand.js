#!/usr/bin/env node
// The `wand` command: checks that Node can run it, then hands over to main. Plain JavaScript that old Nodes parse,
// because it is what tells their users. In a source tree main is TypeScript as it stands; in the package it is built.
import { existsSync } from 'node:fs'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(`wand: needs Node 24.12 or later: this is ${process.versions.node}\n`)
  process.exit(69)
}

const source = new URL('./main.ts', import.meta.url)
const built = new URL('../../dist/ops/cli/main.js', import.meta.url)
const { main } = await import((existsSync(source) ? source : built).href)
await main()
