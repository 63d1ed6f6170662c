import { defineConfig } from 'vitest/config'

/** A test's own deadline, in milliseconds: nothing here may wait longer for anything. */
const unit = 20_000
const real = 120_000

/** What is waited for comes at once on a machine that has nothing else to do, and not later than this. */
const patience = 10_000

const program = 'test/conformance/oci-program.test.ts'

const alone = ['test/faults/load*.test.ts']

type Options = {
  readonly include?: string[]
  readonly exclude?: string[]
  readonly globalSetup?: string[]
  readonly isolate?: boolean
  readonly sequence?: { readonly concurrent?: boolean; readonly groupOrder?: number }
}

const project = (name: string, testTimeout: number, options: Options = {}) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout,
    hookTimeout: real,
    ...options,
  },
})

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    // Two cores, and tests that wait for disks and clocks: more workers only make every suite's own servers slower.
    maxWorkers: 3,
    expect: { poll: { timeout: patience } },
    projects: [
      project('unit', unit),
      project('contract', unit),
      project('e2e', real),
      // Real clients against the registry: `npm run clients`.
      project('clients', real),
      // A real API server: `npm run cluster`.
      project('cluster', real),
      // A real browser: `npm run browser`.
      project('browser', real),
      // Each test has repositories of its own, and most of its time is the disk's.
      project('conformance', unit, {
        exclude: [program],
        globalSetup: ['test/support/conformance-global.ts'],
        sequence: { concurrent: true },
        // Files leave nothing behind in their modules, and loading those anew takes a third of the time.
        isolate: false,
      }),
      // The specification's own program, which has to be built first: `npm run conformance`, and CI.
      project('oci', real, { include: [program] }),
      // Minutes: `npm run long`; in CI with fewer rounds.
      project('long', real),
      // Minutes for one file, whose size is what it tests: `npm run endurance` only.
      project('endurance', real),
      // Faults, again and again: `npm run faults` a few times with a fixed seed, `npm run campaign` for hours.
      project('faults', real, { exclude: alone }),
      // What wants the machine for itself, after all others.
      project('load', real, { include: alone, sequence: { groupOrder: 1 } }),
    ],
  },
})
