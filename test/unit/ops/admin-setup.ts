/**
 * A meta-cluster of fake nodes whose admin endpoints are real: sockets in a directory of their own, opened before each
 * test and closed after it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { Document } from '../../../ops/admin/routes.ts'
import type { Admin } from '../../../ops/admin.ts'
import { startAdmin } from '../../../ops/index.ts'
import { FakeCluster } from './fake-node.ts'
import { ask } from './request.ts'

/** A document, or an error in its place. */
export interface Body<T> extends Document<T> {
  readonly error: { readonly code: string; readonly message: string }
}

/** What a test of the endpoint has at hand. */
export class AdminSetup {
  directory = ''
  cluster = new FakeCluster()
  admins = new Map<string, Admin>()

  /** Opens and closes around each test of the file. */
  static forEachTest(): AdminSetup {
    const setup = new AdminSetup()
    beforeEach(() => setup.open())
    afterEach(() => setup.close())
    return setup
  }

  socket(name: string): string {
    return this.admins.get(name)!.socketPath
  }

  http(name: string): string {
    return this.admins.get(name)!.httpAddress!
  }

  /** Reads a document through the node `name`. */
  async get<T>(name: string, path: string): Promise<{ status: number; body: Body<T> }> {
    const { status, text } = await ask(this.socket(name), path)
    return { status, body: JSON.parse(text) }
  }

  async open(): Promise<void> {
    this.directory = mkdtempSync(join(tmpdir(), 'wand-'))
    this.cluster = new FakeCluster()
    this.admins = new Map()
    for (const node of this.cluster.nodes.values()) {
      this.admins.set(
        node.name,
        await startAdmin(node, { runDirectory: this.directory, http: '127.0.0.1:0' }),
      )
    }
  }

  async close(): Promise<void> {
    for (const admin of this.admins.values()) await admin.close(0)
    rmSync(this.directory, { recursive: true })
  }
}
