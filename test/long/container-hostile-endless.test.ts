import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { binary, extended, header, tarOf } from '../fixtures/tar-by-hand.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { issuing, withConfig, withLayer, withManifest } from '../support/hostile-plays.ts'
import { lies, type Lie } from '../support/hostile-registry.ts'
import {
  expectFailed,
  oneLayer,
  openStage,
  phaseOf,
  source,
  type Row,
} from '../support/hostile-stage.ts'
import { content } from '../support/http-neighbour.ts'
import { peakMemory } from '../support/peak-memory.ts'
import { Random } from '../support/random.ts'
import { startService, type Service } from '../support/service.ts'

const variables = { SLIPWAY_MAX_IMAGE_SIZE: '128Mi', SLIPWAY_IMPORT_RETRY_FOR: '1ms' }

let service: Service
const resources = new AsyncDisposableStack()
beforeAll(async () => {
  service = resources.use(await startService(variables))
})
afterAll(() => resources.disposeAsync())

const most = 128 * mebibyte
/** Of the whole process, which has some 250 MiB with its threads: what unpacks here, or never ends, has more alone. */
const mostMemory = 384 * mebibyte
const begin = (name: string, size: number) => header({ name, size: binary(size) })

/** A head, and half a gibibyte of zeros: one archive behind the other is one archive. */
const zeros = Buffer.alloc(32 * mebibyte)
const bombOf = {
  gzip: (head: Buffer) => Buffer.concat([gzipSync(head), ...Array(16).fill(gzipSync(zeros))]),
  zstd: (head: Buffer) =>
    Buffer.concat([zstdCompressSync(head), ...Array(16).fill(zstdCompressSync(zeros))]),
} as const
const none = Buffer.alloc(0)

const names = Array.from({ length: 50_000 }, (_, nth) => `${nth}/${'x'.repeat(90)}`)
const crowd = tarOf(...names.map((name) => ({ name })))
const packedCrowd = gzipSync(crowd, { level: 1 })

/** A disk of these bytes as an artifact, from a registry that has no end of them. */
const endless = (length: number): Row['play'] => {
  const blob = content(length)
  const mediaType = 'application/octet-stream'
  return (stage) => oneLayer(stage, blob, blob, { lie: lies.endless, layer: { mediaType } })
}

const tooMuch = /(?:268435456|134217728) bytes/
const unending: readonly Row[] = [
  {
    what: 'a manifest without an end',
    play: withManifest(lies.endless),
    code: 'INVALID_OCI',
    message: /more than the 4194304 bytes/,
  },
  {
    what: 'a configuration without an end',
    play: withConfig(lies.endless),
    code: 'INVALID_OCI',
    message: /has more bytes/,
  },
  {
    what: 'a token without an end',
    play: issuing(lies.endless({})),
    code: 'SOURCE_REFUSED',
    message: /more than 1048576 bytes/,
  },
  {
    what: 'a layer without an end',
    play: withLayer(lies.endless),
    code: 'CORRUPT_ARCHIVE',
    message: /it is no tar/,
  },
  {
    what: 'a small disk without an end',
    play: endless(3 * mebibyte),
    code: 'INVALID_OCI',
    message: /has more bytes, its manifest 3145728;/,
  },
  {
    what: 'a large disk without an end',
    play: endless(100 * mebibyte),
    code: 'INVALID_OCI',
    message: /has more bytes, its manifest 104857600;/,
  },
]

const bombs: readonly Row[] = [
  ...(['gzip', 'zstd'] as const).flatMap((how): readonly Row[] => [
    {
      what: `a bomb of ${how} with the disk`,
      play: (stage) => oneLayer(stage, bombOf[how](begin('disk/x.img', most / 2)), none),
      code: 'DECOMPRESSION_LIMIT',
      message: tooMuch,
    },
    {
      what: `a bomb of ${how} beside the disk`,
      play: (stage) => oneLayer(stage, bombOf[how](begin('srv/x.img', 2 * most)), none),
      code: 'DECOMPRESSION_LIMIT',
      message: tooMuch,
    },
    {
      what: `a bomb of ${how} that is the disk`,
      play: (stage) =>
        oneLayer(stage, tarOf({ name: 'disk/x.img', data: bombOf[how](disk(mebibyte)) })),
      code: 'DECOMPRESSION_LIMIT',
      message: tooMuch,
    },
  ]),
  {
    what: 'a bomb in an extended header',
    play: (stage) =>
      oneLayer(stage, bombOf.gzip(extended(none, 'x', { size: binary(2 * most) })), none),
    code: 'CORRUPT_ARCHIVE',
    message: /the extended header "x" at byte 0 has 268435456 bytes/,
  },
]

const crowds: readonly Row[] = [
  {
    what: 'a crowd of files',
    play: (stage) => oneLayer(stage, packedCrowd, crowd),
    code: 'INVALID_OCI',
    message: /^no file under \/disk; the image holds 0\/, .+ …; put/,
  },
]

/** Asks the service for its images over and over until the work is done; gives the slowest answer in milliseconds. */
async function answersDuring(work: Promise<unknown>, { rest }: Service): Promise<number> {
  const over = new AbortController()
  const done = work.finally(() => over.abort())
  let slowest = 0
  while (!over.signal.aborted) {
    const asked = performance.now()
    await rest.list()
    slowest = Math.max(slowest, performance.now() - asked)
  }
  await done
  return slowest
}

describe.each([
  { what: 'what never ends', rows: unending },
  { what: 'what unpacks to more than is allowed', rows: bombs },
  { what: 'what has no disk in it', rows: crowds },
])('$what is refused, and the service goes on answering in little memory:', ({ rows }) => {
  let busy: Service
  beforeAll(async () => (busy = await startService(variables)))
  afterAll(() => busy[Symbol.asyncDispose]())

  test.each(rows)('$what', async (row) => {
    const slowest = await answersDuring(expectFailed(busy, row), busy)
    expect(slowest).toBeLessThan(5000)
    expect(await peakMemory(busy.pid)).toBeLessThan(mostMemory)
  })
})

test('a disk is cut where it should have ended', async () => {
  await using stage = await openStage()
  await service.rest.create('cut', source(endless(3 * mebibyte)(stage)))
  await service.rest.reaches('cut', 'Failed')
  const sent = stage.registry.requests.map(({ sent }) => sent)
  // What lies in the buffers of both systems was sent as well.
  expect(Math.max(...sent)).toBeLessThan(32 * mebibyte)
  await service.rest.delete('cut')
})

describe('one byte of a layer that is another', () => {
  const runs = 40
  const small = disk(mebibyte / 8)
  const tar = tarOf({ name: 'disk/x.img', data: small })
  const gzip = gzipSync(tar, { level: 1 })
  const random = new Random(7)

  function flipped(): Buffer {
    const at = random.below(gzip.length)
    const other = Buffer.from(gzip)
    other.writeUInt8(gzip.readUInt8(at) ^ (1 + random.below(255)), at)
    return other
  }

  test('never gets Ready', async () => {
    for (let run = 0; run < runs; run += 1) {
      const other = flipped()
      const lie: Lie = (honest) => ({ ...honest, bytes: other })
      const play: Row['play'] = (stage) => oneLayer(stage, gzip, tar, { lie })
      expect(await phaseOf(service, play, small)).toBe('Failed')
    }
  })

  test('gets Ready under its own digest only when it unpacks to the same', async () => {
    for (let run = 0; run < runs; run += 1) {
      const other = flipped()
      await phaseOf(service, (stage) => oneLayer(stage, other, tar), small)
    }
  })
})
