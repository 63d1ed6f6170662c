import type { TestProject } from 'vitest/node'
import { shareService } from './conformance-global.ts'
import { startS3 } from './s3.ts'

/** As for files, with an S3 server that all services of the project store in. */
export default async function share(project: TestProject): Promise<() => Promise<void>> {
  await using undo = new AsyncDisposableStack()
  const { endpoint, bucket, folder } = undo.use(await startS3())
  const place = { endpoint, direct: endpoint, bucket, folder }
  project.provide('place', place)
  undo.defer(await shareService(project, place))
  const held = undo.move()
  return () => held.disposeAsync()
}
