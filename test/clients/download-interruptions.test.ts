import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { startRelay } from '../support/relay.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { run } from '../support/shell.ts'
import { needsSmallDisk, SmallDisk } from '../support/small-disk.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { beginImages, endBy, images } from '../support/transfers.ts'

const size = 16 * mebibyte
const bytes = disk(size)
const canMount = needsSmallDisk()

const resources = new AsyncDisposableStack()
let folder: string
let service: Service
beforeAll(async () => {
  folder = resources.use(await temporaryFolder()).path
  service = resources.use(await startService())
  await send(await service.rest.createUpload('image'), bytes)
})
afterAll(() => resources.disposeAsync())

async function partsIn(path: string): Promise<readonly string[]> {
  return (await readdir(path)).filter((name) => name.endsWith('.part'))
}

/** Half of it has come, and lies in the part. */
async function halfIsHere(half: Promise<void>, at = folder): Promise<string> {
  await half
  let path = ''
  await expect
    .poll(async () => {
      path = join(at, (await partsIn(at))[0] ?? 'none')
      return (await stat(path).catch(() => null))?.size ?? 0
    })
    .toBeGreaterThan(size / 4)
  return path
}

describe('slipway images download', () => {
  test('survives a kill -9 of the service in the middle', async () => {
    await using relay = await startRelay(() => service.base, 'answers')
    const path = join(folder, 'survives')
    const half = relay.holdAt(size / 2)
    const coming = images(relay.base, ['download', 'image', path])
    await halfIsHere(half)
    await service.kill()
    await service.start()
    relay.cut()
    expect(await coming).toMatchObject({ code: 0, stderr: expect.stringContaining('trying again') })
    expect((await readFile(path)).equals(bytes)).toBe(true)
    expect(relay.sent).toBeLessThan(size * 1.2)
  })

  test('asks again when its first request breaks', async () => {
    await using relay = await startRelay(() => service.base, 'answers')
    const path = join(folder, 'asks-again')
    const asked = relay.holdAt(1)
    const coming = images(relay.base, ['download', 'image', path])
    await asked
    relay.cut()
    expect(await coming).toMatchObject({ code: 0, stderr: expect.stringContaining('trying again') })
    expect((await readFile(path)).equals(bytes)).toBe(true)
  })

  test.each(['SIGINT', 'SIGKILL'] as const)('goes on after %s', async (signal) => {
    await using relay = await startRelay(() => service.base, 'answers')
    const path = join(folder, signal)
    const half = relay.holdAt(size / 2)
    await using coming = beginImages(relay.base, ['download', 'image', path])
    await halfIsHere(half)
    expect(await images(service.base, ['download', 'image', path, '--force'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('another process brings'),
    })
    const ended = await endBy(coming, signal)
    if (signal === 'SIGINT') {
      expect(ended).toMatchObject({
        code: 130,
        stderr: expect.stringMatching(/stopped at \d+%; the same command goes on from there\n$/),
      })
    }
    relay.cut()
    const before = relay.sent
    expect(await images(relay.base, ['download', 'image', path])).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/going on at \d+%/),
    })
    expect((await readFile(path)).equals(bytes)).toBe(true)
    expect(relay.sent - before).toBeLessThan(size)
    expect((await readdir(folder)).filter((name) => /part|lock/.test(name))).toEqual([])
  })

  test('keeps no part that has other bytes than the image', async () => {
    await using relay = await startRelay(() => service.base, 'answers')
    const path = join(folder, 'damaged')
    const half = relay.holdAt(size / 2)
    await using coming = beginImages(relay.base, ['download', 'image', path])
    const part = await halfIsHere(half)
    await endBy(coming, 'SIGKILL')
    relay.cut()
    await writeFile(part, Buffer.alloc(4096), { flag: 'r+' })
    const wrong = await images(relay.base, ['download', 'image', path])
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('run the command again'),
    })
    expect(await partsIn(folder)).toEqual([])
    expect((await images(relay.base, ['download', 'image', path])).code).toBe(0)
    expect((await readFile(path)).equals(bytes)).toBe(true)
  })

  test.skipIf(!canMount)('begins nothing where there is no room', async () => {
    await using small = await SmallDisk.mount(8 * mebibyte)
    const refused = await images(service.base, ['download', 'image', join(small.path, 'disk')])
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/has room for .*16Mi/) })
    expect(await readdir(small.path)).toEqual([])
  })

  test.skipIf(!canMount)('goes on where the disk was full', async () => {
    await using small = await SmallDisk.mount(24 * mebibyte)
    await using relay = await startRelay(() => service.base, 'answers')
    const path = join(small.path, 'disk')
    const half = relay.holdAt(size / 2)
    const coming = images(relay.base, ['download', 'image', path])
    await halfIsHere(half, small.path)
    await run('sh', ['-c', `! cat /dev/zero > "$0/other" 2>/dev/null`, small.path])
    relay.cut()
    expect(await coming).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/part cannot be written \(ENOSPC\); .* goes on from there\n$/),
    })
    await rm(join(small.path, 'other'))
    expect(await images(relay.base, ['download', 'image', path])).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/going on at \d+%/),
    })
    expect((await readFile(path)).equals(bytes)).toBe(true)
  })
})
