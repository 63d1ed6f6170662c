import { defineConfig } from 'vitest/config'
import { needsS3 } from './support/s3.ts'

/** A test's own deadline, in milliseconds. */
const real = 120_000

/** What is waited for comes at once on a machine that has nothing else to do, and not later than this. */
const patience = 10_000

const program = 'test/conformance/oci-program.test.ts'
const mainJob = ['journey', 'uploads', 'reading', 'restart', 'restart-kill', 'delete', 'short-cuts']

/** Nothing is run where there is no S3 server. */
const isHere = needsS3()

const project = (name: string, include: string[], setup: string, more = {}) => ({
  extends: true as const,
  test: {
    name,
    include: isHere ? include : [],
    testTimeout: real,
    hookTimeout: real,
    globalSetup: isHere ? [`test/support/${setup}.ts`] : [],
    ...more,
  },
})

const conformance = ['test/conformance/**/*.test.ts']
const e2e = (names: readonly string[]) => names.map((name) => `test/e2e/${name}.test.ts`)

/** What is tested with files, with blobs in S3: `npm run s3`. */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    maxWorkers: 3,
    expect: { poll: { timeout: patience } },
    passWithNoTests: true,
    projects: [
      project('s3', e2e(mainJob), 's3-global'),
      project('s3-faults', e2e(['journey', 'uploads']), 's3-faulty-global'),
      project('s3-conformance', conformance, 'conformance-s3-global', {
        exclude: [program],
        sequence: { concurrent: true },
        isolate: false,
      }),
      project('s3-oci', [program], 's3-global'),
    ],
  },
})
