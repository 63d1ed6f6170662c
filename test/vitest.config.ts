import { defineConfig } from 'vitest/config'

/** A test's own deadline, in milliseconds: nothing here may wait longer for anything. */
const unit = 20_000
const real = 120_000

const project = (name: string, testTimeout: number) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: real },
})

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    // Two cores: more workers only make every suite's own servers slower.
    maxWorkers: 2,
    projects: [
      project('unit', unit),
      project('contract', unit),
      project('e2e', real),
      // Long: `npm run campaign`, and CI.
      project('campaign', real),
    ],
  },
})
