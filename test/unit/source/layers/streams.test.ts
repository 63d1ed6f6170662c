import { getEventListeners } from 'node:events'
import { pipeline, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { constants, createGzip, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { DiskFolder } from '../../../../src/source/layers/disk-folder.ts'
import { findDisk, type Layer } from '../../../../src/source/layers/find-disk.ts'
import { LayerTar } from '../../../../src/source/layers/layer-tar.ts'
import { uncounted } from '../../../../src/source/tally.ts'
import { peek } from '../../../../src/unwrap/peek.ts'
import { unwrap } from '../../../../src/unwrap/unwrap.ts'
import { bindTo } from '../../../../src/work/body.ts'
import {
  binary,
  extended,
  header,
  magics,
  octal,
  records,
  tarOf,
} from '../../../fixtures/tar-by-hand.ts'
import { within } from '../../../support/deadline.ts'
import { file, gzipped, layer, plain } from './images.ts'

const mebibyte = 1024 * 1024
const piece = Buffer.alloc(64 * 1024)

/** A layer whose bytes nobody has ever had all at once, and what became of it. */
class Endless {
  given = 0
  opened: Readable | null = null
  readonly layer: Layer

  constructor(head: readonly Buffer[], pack: (raw: Readable) => Readable = (raw) => raw) {
    const { part } = layer(plain(Buffer.alloc(1024)))
    this.layer = {
      part: { ...part, size: Number.MAX_SAFE_INTEGER },
      diffId: null,
      open: async () => {
        this.opened = pack(Readable.from(this.#bytes(head), { objectMode: false }))
        return this.opened
      },
    }
  }

  /** As a network gives: what waits for something else has its turn between two pieces. */
  async *#bytes(head: readonly Buffer[]) {
    yield* head
    for (;;) {
      await setImmediate()
      this.given += piece.length
      yield piece
    }
  }
}

const huge = 2 ** 40
const hugeDisk = [header({ name: 'disk/x.img', size: binary(huge), magic: magics.gnu })]
const hugeFile = [header({ name: 'etc/x', size: binary(huge), magic: magics.gnu })]
const gzip = (raw: Readable) => raw.pipe(createGzip({ level: constants.Z_BEST_SPEED }))

const look = (source: Endless, signal: AbortSignal) =>
  findDisk([source.layer], { tally: uncounted, maxOutput: huge * 2 }, signal)

const closed = (stream: Readable | null) =>
  within(
    5000,
    'the blob closes',
    new Promise<void>((resolve) => {
      if (!stream || stream.closed) resolve()
      else stream.once('close', resolve)
    }),
  )

const ways = [
  ['as it is', undefined],
  ['compressed', gzip],
] as const

/** Waits until a body holds as much as it takes in while nobody reads. */
async function filled(body: Readable): Promise<void> {
  while (body.readableLength < body.readableHighWaterMark) await setImmediate()
}

describe.each(ways)('a layer (%s)', (_, pack) => {
  const endless = (head: readonly Buffer[]) => new Endless(head, pack)

  test('whose disk nobody reads is not fetched', async () => {
    const source = endless(hugeDisk)
    const { body } = await look(source, AbortSignal.timeout(10_000))
    await filled(body)
    const before = source.given
    for (let turn = 0; turn < 1000; turn += 1) await setImmediate()
    expect(source.given - before).toBeLessThan((pack ? 512 : 4) * mebibyte)
    // What gzip makes of zeros is a thousandth of them, so it takes many for one piece.
    expect(source.given).toBeLessThan((pack ? 512 : 4) * mebibyte)
    body.destroy()
    await closed(source.opened)
  })

  test('is left when its reader has enough', async () => {
    const source = endless(hugeDisk)
    const controller = new AbortController()
    const { body, size } = await look(source, controller.signal)
    let count = 0
    for await (const chunk of body) {
      count += chunk.length
      if (count >= 2 * mebibyte) break
    }
    expect(size).toBe(huge)
    expect(body.destroyed).toBe(true)
    await closed(source.opened)
    await setImmediate()
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  test('ends with the signal while it is read', async () => {
    const source = endless(hugeDisk)
    const controller = new AbortController()
    const { body } = await look(source, controller.signal)
    const reading = (async () => {
      for await (const chunk of body) if (chunk.length > 0) controller.abort()
    })()
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' })
    await closed(source.opened)
  })

  test('ends with the signal while nobody reads it', async () => {
    const source = endless(hugeDisk)
    const controller = new AbortController()
    const { body } = await look(source, controller.signal)
    controller.abort()
    await closed(source.opened)
    expect(body.destroyed).toBe(true)
    await expect(body.toArray()).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('ends with the signal while the disk is looked for', async () => {
    const source = endless(hugeFile)
    const controller = new AbortController()
    const looking = look(source, controller.signal)
    while (source.given < 10 * mebibyte) await setImmediate()
    controller.abort()
    await expect(looking).rejects.toMatchObject({ name: 'AbortError' })
    await closed(source.opened)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })
})

test('a signal that has ended before opens nothing that stays open', async () => {
  const source = new Endless(hugeDisk)
  await expect(look(source, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' })
  await closed(source.opened)
})

test('a layer that was fetched whole still ends with the signal', async () => {
  const controller = new AbortController()
  const tar = tarOf(file('disk/x.img', Buffer.alloc(200_000)))
  const options = { tally: uncounted, maxOutput: huge }
  const { body } = await findDisk([layer(plain(tar))], options, controller.signal)
  for (let turn = 0; turn < 50; turn += 1) await setImmediate()
  controller.abort()
  await expect(body.toArray()).rejects.toMatchObject({ name: 'AbortError' })
})

test('a disk that is unwrapped too makes no warning of too many listeners', async () => {
  const warnings: Error[] = []
  const warned = (warning: Error) => void warnings.push(warning)
  process.on('warning', warned)
  const signal = AbortSignal.timeout(10_000)
  const tar = tarOf(file('disk/x.img.gz', gzipSync(Buffer.alloc(1_000_000))))
  for (const stored of [plain(tar), gzipped(tar)]) {
    const options = { tally: uncounted, maxOutput: huge }
    const found = await findDisk([layer(stored)], options, signal)
    bindTo(signal, found.body)
    const peeked = await peek(found.body)
    const { body } = await unwrap(peeked.body, options, signal)
    expect(Buffer.concat(await body.toArray())).toHaveLength(1_000_000)
  }
  await setImmediate()
  process.off('warning', warned)
  expect(warnings).toEqual([])
})

test('no listener and no stream stays behind forty layers', async () => {
  const controller = new AbortController()
  const opened: Readable[] = []
  const layers = Array.from({ length: 40 }, (_, at) => {
    const stored = layer(plain(tarOf(file(at === 0 ? 'disk/x.img' : `etc/${at}`))))
    const open = async (signal: AbortSignal) => {
      const body = await stored.open(signal)
      opened.push(body)
      return body
    }
    return { ...stored, open }
  })
  const options = { tally: uncounted, maxOutput: huge }
  const { body } = await findDisk(layers, options, controller.signal)
  expect(await body.toArray()).toHaveLength(1)
  for (const stream of opened) await closed(stream)
  await setImmediate()
  expect(opened).toHaveLength(40)
  expect(getEventListeners(controller.signal, 'abort')).toEqual([])
})

describe('a disk of 9 GiB', () => {
  const size = 9 * 1024 ** 3
  const large = Buffer.alloc(4 * mebibyte)

  function* bytes(head: readonly Buffer[], tail: number) {
    yield* head
    for (let left = size + tail; left > 0; left -= large.length) yield large.subarray(0, left)
  }

  const heads = {
    'in PAX': [
      extended(records({ size: String(size) })),
      header({ name: 'disk/x.img', size: octal(0, 12) }),
    ],
    'in binary': [header({ name: 'disk/x.img', size: binary(size), magic: magics.gnu })],
  }

  // Without the hashes, which would take most of the time and are the same for every size.
  test.each(Object.entries(heads))('that tells its size %s passes', async (_, head) => {
    const { part } = layer(plain(Buffer.alloc(1024)))
    const tar = new LayerTar(part, new DiskFolder())
    pipeline(Readable.from(bytes(head, 1024), { objectMode: false }), tar, () => {})
    expect(await tar.disk).toMatchObject({ name: 'disk/x.img', size })
    let count = 0
    for await (const chunk of tar) count += chunk.length
    expect(count).toBe(size)
  })
})
