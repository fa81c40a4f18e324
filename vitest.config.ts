import { defineConfig } from 'vitest/config'

// One file at a time: integration tests start whole meta-clusters, and a loaded machine is no fault of theirs.
export default defineConfig({
  ssr: { resolve: { conditions: ['wandist-source', 'module', 'node'] } },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
