import { createHash } from 'node:crypto'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { expectOnly } from '../support/leftovers.ts'
import { startRelay } from '../support/relay.ts'
import { readiness } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { beginImages, endBy, images } from '../support/transfers.ts'

const size = 16 * mebibyte
const bytes = disk(size)
const sha256 = createHash('sha256').update(bytes).digest('hex')

const resources = new AsyncDisposableStack()
let folder: string
let file: string
beforeAll(async () => {
  folder = resources.use(await temporaryFolder()).path
  file = join(folder, 'First Disk.img')
  await writeFile(file, bytes)
})
afterAll(() => resources.disposeAsync())

/** Half of the file has passed, and the service has it. */
async function halfIsThere({ rest }: Service, name: string, half: Promise<void>): Promise<void> {
  await half
  await rest.until(name, ({ status }) => Number(status.receivedBytes) > size / 2 - 2 * mebibyte)
}

describe('slipway images upload', () => {
  test('survives a kill -9 of the service in the middle', async () => {
    await using service = await startService()
    await using relay = await startRelay(() => service.base)
    const half = relay.holdAt(size / 2)
    const sending = images(relay.base, ['upload', file, 'survives'])
    await halfIsThere(service, 'survives', half)
    await service.kill()
    await service.start()
    relay.cut()
    expect(await sending).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('does not answer'),
    })
    expect((await service.rest.image('survives')).status.source).toMatchObject({ sha256 })
    await expectOnly(service.folder, ['survives'])
  })

  test('goes on after Ctrl-C with the same file, and never with another one', async () => {
    await using service = await startService()
    await using relay = await startRelay(() => service.base)
    const other = join(folder, 'other.img')
    await writeFile(other, disk(size, 3))
    const interrupt = async () => {
      const half = relay.holdAt(relay.sent + size / 2)
      await using sending = beginImages(relay.base, ['upload', file, 'cut'])
      await halfIsThere(service, 'cut', half)
      const ended = await endBy(sending, 'SIGINT')
      relay.cut()
      return ended
    }
    expect(await interrupt()).toMatchObject({
      code: 130,
      stderr: expect.stringMatching(/stopped at \d+%; the same command goes on from there\n$/),
    })
    const wrong = await images(relay.base, ['upload', other, 'cut'])
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/going on at \d+%/) })
    expect(wrong.stderr).toContain(sha256Of(disk(size, 3)))
    expect(readiness(await service.rest.image('cut')).message).toContain('sha256')
    await interrupt()
    const before = relay.sent
    const right = await images(relay.base, ['upload', file, 'cut'])
    expect(right).toMatchObject({ code: 0, stderr: expect.stringMatching(/going on at \d+%/) })
    expect(relay.sent - before).toBeLessThan(size * 0.7)
    expect((await service.rest.image('cut')).status.source).toMatchObject({ sha256 })
  })

  test('makes no image of a file that is written to meanwhile', async () => {
    await using service = await startService()
    await using relay = await startRelay(() => service.base)
    const path = join(folder, 'changing.img')
    // What the sockets may hold, half of it, is read already.
    const large = 4 * size
    await writeFile(path, disk(large))
    const begun = relay.holdAt(mebibyte)
    const sending = images(relay.base, ['upload', path])
    await begun
    await using writer = await open(path, 'r+')
    await writer.write(Buffer.from('another byte'), 0, 12, large - 12)
    relay.release()
    expect(await sending).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/changed while it was sent: what was sent is dropped/),
    })
    expect((await service.rest.image('changing')).status.phase).toBe('Failed')
  })
})

function sha256Of(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
