import { afterAll, beforeAll, describe } from 'vitest'
import { needsS3, startS3, type S3 } from '../support/s3.ts'
import { s3Kind } from '../support/s3-store.ts'
import { describeStore, short } from '../support/store-suite.ts'

let s3: S3

beforeAll(async () => {
  if (needsS3()) s3 = await startS3()
})
afterAll(() => s3?.[Symbol.asyncDispose]())

describe.skipIf(!needsS3())('on a real S3 server', () => {
  describeStore({ ...s3Kind(() => s3), scale: short })
})
