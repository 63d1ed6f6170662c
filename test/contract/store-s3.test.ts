import { truncate } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { needsS3, startS3, type S3 } from '../support/s3.ts'
import { openStoreOn } from '../support/s3-store.ts'
import { describeStore, short } from '../support/store-suite.ts'

let s3: S3

beforeAll(async () => {
  if (needsS3()) s3 = await startS3()
})
afterAll(() => s3?.[Symbol.asyncDispose]())

describe.skipIf(!needsS3())('on a real S3 server', () => {
  describeStore({
    name: 'S3',
    // The folder is the scratch folder, its name the prefix: the same one again is the same store after a crash.
    open: (folder) => openStoreOn(s3, folder),
    damage: async (folder, digest) => {
      const [algorithm = '', hex = ''] = digest.split(':')
      await truncate(join(s3.folder, basename(folder), 'blobs', algorithm, hex), 10)
    },
    knowsRoom: false,
    scale: short,
  })
})
