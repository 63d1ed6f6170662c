import { join } from 'node:path'
import { describe, test } from 'vitest'
import { deadline, operationsOr, play, seed } from '../support/model-play.ts'
import { needsS3, startS3 } from '../support/s3.ts'
import { openStoreOn } from '../support/s3-store.ts'
import { startService } from '../support/service.ts'

/** LONG_OPERATIONS=20000 does more; each takes nearly twice as long as in files. */
const operations = operationsOr(4000)

describe.skipIf(!needsS3())(
  `${operations} operations of eight clients at random (seed ${seed})`,
  () => {
    test('leave what the model says in S3', { timeout: deadline }, async () => {
      await using s3 = await startS3()
      const prefix = 'scratch'
      await using service = await startService(s3.variables(prefix))
      const scratch = join(service.folder, prefix)
      const open = () => openStoreOn(s3, scratch)
      await play({ operations, service, open, folder: s3.folder })
    })
  },
)
