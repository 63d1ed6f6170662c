import { describe, test } from 'vitest'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { deadline, operationsOr, play, seed } from '../support/model-play.ts'
import { startService } from '../support/service.ts'

/** LONG_OPERATIONS=20000 does more, in some minutes. */
const operations = operationsOr(4000)

describe(`${operations} operations of eight clients at random (seed ${seed})`, () => {
  test('leave what the model says in files', { timeout: deadline }, async () => {
    await using service = await startService()
    const { folder } = service
    await play({ operations, service, open: () => FilesystemStore.open(folder), folder })
  })
})
