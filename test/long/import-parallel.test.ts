import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { mebibyte } from '../support/disks.ts'
import {
  content,
  forever,
  startNeighbour,
  type Neighbour,
  type Script,
} from '../support/http-neighbour.ts'
import { expectOnly } from '../support/leftovers.ts'
import { startService, type Service } from '../support/service.ts'

const size = 320 * mebibyte
const at = size * 0.9
/** What is fetched before its turn is lost, and that is a 32nd of the file at most; the rest is what was on its way. */
const most = size * 1.05
/** A part that breaks is tried for half a minute. */
const limit = 90_000

/** Each connection is so slow that more of them are faster. */
const file: Script = {
  size,
  etag: '"1"',
  ranges: 'honest',
  rate: 8 * mebibyte,
  headers: { 'accept-ranges': 'bytes' },
}

const sent = ({ requests }: Neighbour) => requests.reduce((sum, each) => sum + each.sent, 0)

function sha256(): string {
  const hash = createHash('sha256')
  for (let offset = 0; offset < size; offset += mebibyte) hash.update(content(mebibyte, offset))
  return hash.digest('hex')
}

async function until90({ rest }: Service): Promise<void> {
  await rest.until('big', ({ status }) => Number(status.receivedBytes ?? 0) >= at, limit)
}

async function expectWhole({ rest, folder }: Service): Promise<void> {
  const { status } = await rest.ready('big', limit)
  expect(status.source).toMatchObject({ sha256: sha256(), bytes: String(size) })
  await expectOnly(folder, ['big'])
}

describe('an import over many connections that breaks off at 90 % costs at most 5 % again', () => {
  test('when all of them break at once', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    await service.rest.createFrom('big', neighbour.serve('/big', file))
    await until90(service)
    expect(neighbour.atOnce).toBeGreaterThan(3)
    neighbour.breakAll()
    await expectWhole(service)
    expect((await service.rest.image('big')).status.retries ?? 0).toBe(0)
    expect(sent(neighbour)).toBeLessThan(most)
  })

  test('when the source is away for a while', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    let isAway = false
    const url = neighbour.serve('/big', (_, { socket }) => {
      if (isAway) socket.resetAndDestroy()
      return file
    })
    await service.rest.createFrom('big', url)
    await until90(service)
    isAway = true
    neighbour.breakAll()
    await service.rest.until('big', ({ status }) => (status.retries ?? 0) > 0, limit)
    isAway = false
    await expectWhole(service)
    expect(sent(neighbour)).toBeLessThan(most)
  })

  test('when the service is killed while one part has stalled and all behind it are there', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    let isFirst = true
    const url = neighbour.serve('/big', (_, { headers }) => {
      const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
      const isStalled = isFirst && Number(start) <= at && Number(last) >= at
      const pause = { at: at - Number(start), until: forever }
      return { ...file, ...(isStalled ? { pause } : {}) }
    })
    await service.rest.createFrom('big', url)
    await until90(service)
    await expect.poll(() => durable(service), patience).toBeGreaterThan(at - 2 * mebibyte)
    await expect.poll(() => neighbour.answering, patience).toBe(1)
    await service.kill()
    isFirst = false
    await service.start()
    await expectWhole(service)
    expect(sent(neighbour)).toBeLessThan(most)
  })
})

const patience = { timeout: 30_000 }

/** How much survives a crash, by the small file beside the bytes. */
async function durable({ folder }: Service): Promise<number> {
  const staging = join(folder, 'staging')
  const [id = ''] = await readdir(staging)
  return Number(await readFile(join(staging, id, 'offset'), 'latin1').catch(() => '0'))
}
