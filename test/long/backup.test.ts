import { copyFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { everythingOf, loseCatalog, rebuild, slipway } from '../support/lost-catalog.ts'
import { send } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const bytes = disk(mebibyte)

test('a backup that is taken while images come in is restored, and a rebuild adds the rest', async () => {
  await using aside = await temporaryFolder()
  await using service = await startService({ SLIPWAY_REGISTRY_HOST: 'registry.example' })
  const { rest, folder } = service
  await send(await rest.createUpload('before'), bytes)
  const waiting = await rest.createUpload('waiting')
  const file = join(aside.path, 'backup')
  const done = new AbortController()
  const load = async () => {
    let made = 0
    for (; !done.signal.aborted; made += 1) {
      await send(await rest.createUpload(`under-${made}`), bytes)
    }
    return made
  }
  const loaded = load()
  const backup = slipway(folder, ['backup', file])
  expect((await backup).code).toBe(0)
  done.abort()
  expect(await loaded).toBeGreaterThan(0)
  expect(await readdir(aside.path)).toEqual(['backup'])
  expect((await stat(file)).mode & 0o777).toBe(0o600)

  await send(waiting, disk(mebibyte, 1))
  await rest.delete('before')
  await send(await rest.createUpload('before'), disk(mebibyte, 2))
  const everything = await everythingOf(service)
  await service.stop()
  await loseCatalog(service)
  await copyFile(file, join(folder, 'catalog.sqlite'))
  await rebuild(folder)
  await service.start()
  expect(await everythingOf(service)).toEqual(everything)
})

test('a backup takes the place of no other file, unless that is asked for', async () => {
  await using aside = await temporaryFolder()
  await using service = await startService()
  await service.stop()
  const file = join(aside.path, 'backup')
  const backUp = async (...more: string[]) =>
    await slipway(service.folder, ['backup', file, ...more])
  expect((await backUp()).code).toBe(0)
  expect(await backUp()).toMatchObject({ code: 2, stderr: expect.stringMatching(/--force/) })
  expect((await backUp('--force')).code).toBe(0)
  expect((await readdir(service.folder)).filter((name) => /-(?:wal|shm)$/.test(name))).toEqual([])
  await rm(join(service.folder, 'catalog.sqlite'))
  expect(await backUp('--force')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/no catalog/),
  })
})
