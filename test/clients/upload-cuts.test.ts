import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Upload } from 'tus-js-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { expectOnly } from '../support/leftovers.ts'
import { needs } from '../support/programs.ts'
import { startRelay, type Relay } from '../support/relay.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt, run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

const size = 64 * mebibyte
const at = Math.floor(0.9 * size)
const bytes = disk(size)
const sha256 = createHash('sha256').update(bytes).digest('hex')
/** What may go over the network in all, headers among it. */
const most = 1.05 * size

const canCurl = needs('curl', 'apt-get install curl')

let home: Awaited<ReturnType<typeof temporaryFolder>>
let file: string
beforeAll(async () => {
  home = await temporaryFolder()
  file = join(home.path, 'example.iso')
  await writeFile(file, bytes)
})
afterAll(() => home[Symbol.asyncDispose]())

/** How much of the one upload would survive a power cut, in bytes. */
async function durable({ folder }: Service): Promise<number> {
  const staging = join(folder, 'staging')
  const [id = ''] = await readdir(staging)
  return Number(await readFile(join(staging, id, 'offset'), 'latin1').catch(() => '0'))
}

type Stage = { readonly service: Service; readonly relay: Relay }

/** What breaks an upload when 90 % of it have passed. */
const breaks = {
  'a broken connection': ({ relay }: Stage) => Promise.resolve(relay.cut()),
  'kill -9 of the service': async ({ service, relay }: Stage) => {
    await expect
      .poll(() => durable(service), { timeout: 20_000 })
      .toBeGreaterThan(at - 2 * mebibyte)
    await service.kill()
    await service.start()
    relay.cut()
  },
  'a restart of the service': async ({ service, relay }: Stage) => {
    // What has passed may still wait in buffers between here and the service.
    await service.rest.until(
      'cut',
      ({ status }) => Number(status.receivedBytes) > at - 2 * mebibyte,
    )
    await service.stop()
    await service.start()
    relay.cut()
  },
} as const

const ways = Object.entries(breaks).map(([what, breaking]) => ({ what, breaking }))

async function expectImage({ service, relay }: Stage, name: string): Promise<void> {
  const { status } = await service.rest.ready(name)
  expect(status.source).toMatchObject({ sha256, bytes: String(size) })
  await expectOnly(service.folder, [name])
  expect(relay.sent).toBeLessThan(most)
  expect(relay.sent).toBeGreaterThan(size)
}

describe.skipIf(!canCurl)('curl', () => {
  test.each(ways)('sends little again after $what', async ({ breaking }) => {
    await using service = await startService()
    await using relay = await startRelay(() => service.base)
    const path = new URL(await service.rest.createUpload('cut')).pathname
    const reached = relay.holdAt(at)
    const first = attempt('curl', ['-fsS', relay.base + path, '-T', file])
    await reached
    await breaking({ service, relay })
    expect((await first).code).not.toBe(0)
    const { status } = await service.rest.until('cut', ({ status }) => status.upload !== undefined)
    const words = (status.upload?.resumeCommand ?? '').replace(service.base, relay.base).split(' ')
    const [program = '', ...args] = words.map((word) => (word === 'example.iso' ? file : word))
    await run(program, ['-fsS', ...args])
    await expectImage({ service, relay }, 'cut')
  })
})

describe('tus-js-client', () => {
  const rows = [size, 8 * mebibyte].flatMap((chunkSize) =>
    ways.map(({ what, breaking }) => ({ what, breaking, chunkSize })),
  )

  test.each(rows)('sends little again after $what, in chunks of $chunkSize bytes', async (row) => {
    await using service = await startService()
    await using relay = await startRelay(() => service.base)
    const path = new URL(await service.rest.createUpload('cut')).pathname
    const reached = relay.holdAt(at)
    const done = new Promise<void>((onSuccess, onError) => {
      new Upload(Readable.from(pieces()), {
        endpoint: relay.base + path,
        uploadSize: size,
        chunkSize: row.chunkSize,
        retryDelays: Array(20).fill(500),
        onSuccess: () => onSuccess(),
        onError,
      }).start()
    })
    await reached
    await row.breaking({ service, relay })
    await done
    await expectImage({ service, relay }, 'cut')
  })
})

function* pieces() {
  for (let from = 0; from < size; from += mebibyte) yield bytes.subarray(from, from + mebibyte)
}
