import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { expectWhole } from '../support/damage.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { LoopDisk, needsLoopDisk } from '../support/loop-disk.ts'
import type { Random } from '../support/random.ts'
import { get, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { request } from '../support/wire.ts'
import { isDone } from './disk-stage.ts'
import { tryOut } from './trial.ts'

/** Room that the service keeps free, and what is stored here. */
const size = 256 * mebibyte

describe.skipIf(!needsLoopDisk())('a filesystem that becomes read-only', () => {
  tryOut('disk-readonly', async (trial) => {
    for (const { random } of trial.rounds()) {
      await play(random)
      trial.tried += 1
    }
  })
})

async function play(random: Random): Promise<void> {
  await using mounted = await LoopDisk.mount(size)
  await using service = await startService({ SLIPWAY_DATA_DIR: join(mounted.path, 'data') })
  const { rest } = service
  const [kept, sent] = [disk(mebibyte), disk(4 * mebibyte, 1)]
  expect((await send(await rest.createUpload('kept'), kept)).status).toBe(201)
  const door = await rest.createUpload('sent')
  using sending = await request('PUT', door, { 'Content-Length': sent.length })
  const before = random.below(sent.length)
  await sending.send(sent.subarray(0, before))
  await mounted.findError()
  await sending.send(sent.subarray(before)).catch(() => {})
  expect((await sending.answer()).status).toBe(503)

  // What only reads goes on, and whoever wants to write is told why that cannot be.
  await expectWhole(service, 'kept', kept)
  await expect.poll(() => readyz(service)).toMatch(/cannot be written: .*(?:EROFS|EIO|I\/O)/)
  expect(await isDone(await rest.post({ name: 'new', dataSource: { type: 'Upload' } }), 201)).toBe(
    false,
  )
  await service.kill()
  await expect(service.start()).rejects.toThrow(/EROFS: read-only file system/)
  await service.kill()

  await mounted.repair()
  await service.start()
  await expect.poll(() => readyz(service)).toBe('ok\n')
  await expectWhole(service, 'kept', kept)
  expect((await send(service.base + new URL(door).pathname, sent)).status).toBe(201)
  await expectWhole(service, 'sent', sent)
}

async function readyz({ base }: Service): Promise<string> {
  return await (await get(`${base}/readyz`)).text()
}
