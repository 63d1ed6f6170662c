import { join } from 'node:path'
import { describe } from 'vitest'
import { Kills } from '../support/kills.ts'
import { needsS3, startS3 } from '../support/s3.ts'
import { openStoreOn } from '../support/s3-store.ts'
import { tryOut } from './trial.ts'

/** The name of the folder to put aside in is that of the prefix, too. */
const prefix = 'scratch'

describe.skipIf(!needsS3())('with blobs in S3', () => {
  tryOut('kill-s3', async (trial) => {
    await using s3 = await startS3()
    const ground = {
      variables: s3.variables(prefix),
      open: (folder: string) => openStoreOn(s3, join(folder, prefix)),
      stored: () => s3.folder,
    }
    await using kills = await Kills.open(trial, ground)
    for (const { random } of trial.rounds()) await kills.round(random)
    await kills.end(trial.randomOf('end'))
  })
})
