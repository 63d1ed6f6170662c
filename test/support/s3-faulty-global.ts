import type { TestProject } from 'vitest/node'
import { startS3 } from './s3.ts'
import { startFaultyS3 } from './s3-faults.ts'

/** Of 100 requests to the S3 server so many go wrong. */
const share = 5
const seed = Number(process.env['LONG_SEED'] ?? 20_267)

/** One S3 server for the files of a project, at the end of a bad road. */
export default async function provideFaultyS3(project: TestProject): Promise<() => Promise<void>> {
  await using undo = new AsyncDisposableStack()
  const { endpoint: direct, bucket, folder } = undo.use(await startS3())
  const road = undo.use(await startFaultyS3(direct, { seed, share }))
  undo.defer(() => {
    if (road.counts.size === 0) throw new Error('nothing went wrong on the bad road')
  })
  project.provide('place', { endpoint: road.endpoint, direct, bucket, folder })
  const held = undo.move()
  return () => held.disposeAsync()
}
