import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { expectNothing, expectOnly } from '../support/leftovers.ts'
import { canPull, pull } from '../support/pull.ts'
import { get, readiness, send, type Rest } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const bytes = disk(mebibyte)

async function refer(rest: Rest, name: string, to: string): Promise<void> {
  const objectRef = { kind: 'ClusterVirtualImage', name: to } as const
  await rest.create(name, { type: 'ObjectRef', objectRef })
}

async function diskOf(rest: Rest, name: string): Promise<Buffer> {
  return Buffer.from(await (await get(rest.url(`/${name}/disk`))).arrayBuffer())
}

describe('an image that refers to another', () => {
  test('shares its bytes and lives on when it is deleted', async () => {
    await using service = await startService()
    const { rest } = service
    await send(await rest.createUpload('original'), bytes)
    const original = await rest.image('original')
    await refer(rest, 'copy', 'original')
    const copy = await rest.ready('copy')
    expect(copy.status).toMatchObject({
      format: 'raw',
      size: original.status.size,
      target: { digest: original.status.target.digest },
    })
    await expectOnly(service.folder, ['copy', 'original'])
    await rest.delete('original')
    await expectOnly(service.folder, ['copy'])
    expect((await diskOf(rest, 'copy')).equals(bytes)).toBe(true)
    await rest.delete('copy')
    await expectNothing(service.folder)
  })

  test('becomes Ready soon after the other one does', async () => {
    await using service = await startService()
    const { rest } = service
    const url = await rest.createUpload('slow')
    await refer(rest, 'eager', 'slow')
    const waiting = await rest.until('eager', ({ status }) => status.retries === 1)
    expect(waiting.status.phase).toBe('Pending')
    expect(readiness(waiting)).toMatchObject({
      reason: 'ProvisioningNotStarted',
      message: 'the image "slow" is WaitForUserUpload; this image waits until it is Ready',
    })
    await send(url, bytes)
    await rest.ready('eager')
    await expectOnly(service.folder, ['eager', 'slow'])
  })

  test('may be there before the other one is', async () => {
    await using service = await startService()
    const { rest } = service
    await refer(rest, 'early', 'later')
    const waiting = await rest.until('early', ({ status }) => status.retries === 1)
    expect(readiness(waiting).message).toBe(
      'the image "later" does not exist; create it, or delete this image',
    )
    await send(await rest.createUpload('later'), bytes)
    await rest.ready('early')
  })

  test('fails when the other one does not come in time', async () => {
    await using service = await startService({ SLIPWAY_IMPORT_RETRY_FOR: '1s' })
    const { rest } = service
    await refer(rest, 'lonely', 'nobody')
    const image = await rest.reaches('lonely', 'Failed')
    expect(readiness(image)).toMatchObject({
      reason: 'ProvisioningFailedTerminally',
      message: expect.stringContaining('the image "nobody" does not exist'),
    })
    await rest.delete('lonely')
    await expectNothing(service.folder)
  })
})

describe.skipIf(!canPull())('a node', () => {
  test('pulls a copy whose original is gone', async () => {
    await using service = await startService()
    await using folder = await temporaryFolder()
    const { rest } = service
    await send(await rest.createUpload('original'), bytes)
    await refer(rest, 'copy', 'original')
    await rest.ready('copy')
    await rest.delete('original')
    const { files } = await pull(service.base, 'copy', join(folder.path, 'copy'))
    expect(files).toEqual(['disk.img'])
  })
})
