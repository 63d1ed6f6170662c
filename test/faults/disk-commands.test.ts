import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { slipway } from '../support/program.ts'
import type { Random } from '../support/random.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import type { Ended } from '../support/shell.ts'
import { needsSmallDisk, SmallDisk } from '../support/small-disk.ts'
import { tryOut } from './trial.ts'

const full = /the storage is full|no space left|has only .* left|has room for/

/** What a command writes onto another disk, and what it must not leave there. */
type Errand = {
  readonly args: (service: Service, folder: string) => readonly string[]
  /** Bytes; less are left on the disk, and what it writes is more. */
  readonly writes: number
  /** Names in the folder that would pass for a whole result. */
  readonly looksWhole: RegExp
}

const errands: { readonly [name: string]: Errand } = {
  backup: {
    args: (_, folder) => ['backup', join(folder, 'saved')],
    writes: 65_536,
    looksWhole: /^saved$/,
  },
  'copy-store': {
    args: (service, folder) => [
      'copy-store',
      '--from',
      `filesystem:${service.folder}`,
      '--to',
      `filesystem:${folder}`,
    ],
    writes: 16 * mebibyte,
    looksWhole: /^blobs\/sha256\/..\/./,
  },
  download: {
    args: (_, folder) => ['images', 'download', 'big', join(folder, 'big.img')],
    writes: 16 * mebibyte,
    looksWhole: /^big\.img$/,
  },
}

describe.skipIf(!needsSmallDisk())('a command onto a full disk', () => {
  tryOut('disk-commands', async (trial) => {
    await using service = await startService()
    const bytes = disk(24 * mebibyte)
    expect((await send(await service.rest.createUpload('big'), bytes)).status).toBe(201)
    await using small = await SmallDisk.mount(96 * mebibyte)
    const names = Object.keys(errands)
    for (const { index, random } of trial.rounds()) {
      const name = names[index % names.length] ?? 'backup'
      const errand = errands[name]
      if (!errand) throw new Error(`there is no ${name}`)
      await play(service, small, errand, random)
      trial.tried += 1
      trial.note(name)
    }
  })
})

async function play(service: Service, small: SmallDisk, errand: Errand, random: Random) {
  const folder = join(small.path, 'target')
  await mkdir(folder)
  const run = async (): Promise<Ended> =>
    await slipway(errand.args(service, folder), {
      SLIPWAY_DATA_DIR: service.folder,
      SLIPWAY_URL: service.base,
    })
  await small.fill(random.below(errand.writes))
  const ended = await run()
  expect(ended.code === 1 || ended.code === 2).toBe(true)
  expect(ended.stderr).toMatch(full)
  expect(ended.stderr.trim().split('\n').length).toBeLessThan(6)
  const left = await readdir(folder, { recursive: true })
  // Small blobs may have fitted.
  expect(left.filter((path) => errand.looksWhole.test(path)).length).toBeLessThan(3)
  await small.free()
  expect(await run()).toMatchObject({ code: 0 })
  await rm(folder, { recursive: true })
}
