import { expect } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { killStarting } from '../support/kills.ts'
import { startService } from '../support/service.ts'
import { tryOut } from './trial.ts'

/** From the command on, in milliseconds: a start takes about so long. */
const longest = 700
/** Before somebody looks. */
const inARow = 3

tryOut('kill-start', async (trial) => {
  await using service = await startService()
  const bytes = disk(mebibyte)
  const url = await service.rest.createUpload('kept')
  expect((await fetch(url, { method: 'PUT', body: bytes })).status).toBe(201)
  await service.rest.reaches('kept', 'Ready')
  for (const { random } of trial.rounds()) {
    service.logs.forget()
    await service.kill()
    for (let times = 0; times < inARow; times += 1) {
      await killStarting(service, random.below(longest))
      trial.tried += 1
    }
    await service.start()
    const answer = await fetch(`${service.base}/api/v1/images/kept/disk`)
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
  }
})
