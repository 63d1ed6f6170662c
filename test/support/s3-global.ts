import type { TestProject } from 'vitest/node'
import { startS3 } from './s3.ts'

/** One S3 server for the files of a project. */
export default async function provideS3(project: TestProject): Promise<() => Promise<void>> {
  const s3 = await startS3()
  const { endpoint, bucket, folder } = s3
  project.provide('place', { endpoint, direct: endpoint, bucket, folder })
  return async () => await s3[Symbol.asyncDispose]()
}
