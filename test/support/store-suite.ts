import { createHash, randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf, type Digest } from '../../src/image/digest.ts'
import { openDigester } from '../../src/store/digester.ts'
import type { Store } from '../../src/store/store.ts'
import { temporaryFolder } from './temporary.ts'

type Scale = {
  /** Random contents. */
  readonly runs: number
  /** Slabs of one content. */
  readonly turns: number
  /** What is sent before a crash, in MiB, and how much of it has to survive. */
  readonly sent: number
  readonly kept: number
}

export const whole: Scale = { runs: 40, turns: 1400, sent: 160, kept: 64 }
/** For a store whose whole run is long. */
export const short: Scale = { runs: 6, turns: 140, sent: 40, kept: 32 }

/** A store of a kind, as the suite needs it. */
export type StoreKind = {
  readonly name: string
  /** Opened again on the same folder it is the same store after a crash. */
  readonly open: (folder: string) => Promise<Store>
  /** Cuts the only blob of a store short. */
  readonly damage: (folder: string, digest: Digest) => Promise<void>
  /** Whether it can tell how many bytes can still be written. */
  readonly knowsRoom: boolean
  readonly scale: Scale
}

const signal = new AbortController().signal
const slab = 256 * 1024

async function put(store: Store, bytes: Uint8Array) {
  await using staging = await store.stage()
  await staging.append([bytes], signal)
  return await staging.publish(digestOf(bytes))
}

async function read(store: Store, bytes: Uint8Array, range: [number, number] | null = null) {
  const part = range && { start: range[0], end: range[1] }
  return await buffer((await store.open(digestOf(bytes), part, signal)).stream())
}

/** What every store promises. */
export function describeStore({ name, open, damage, knowsRoom, scale }: StoreKind): void {
  describe(`a store on ${name}`, () => {
    test('gives back what was published, whole and in ranges', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = randomBytes(3 * slab + 17)
      expect(await put(store, bytes)).toEqual({ digest: digestOf(bytes), size: bytes.length })
      expect(await read(store, bytes)).toEqual(bytes)
      expect(await read(store, bytes, [5, 5])).toEqual(bytes.subarray(5, 6))
      expect(await read(store, bytes, [slab - 1, slab + 9])).toEqual(
        bytes.subarray(slab - 1, slab + 10),
      )
      expect(await store.stat(digestOf(bytes))).toEqual({
        digest: digestOf(bytes),
        size: bytes.length,
      })
    })

    test('takes any bytes in any pieces, zeros among them', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const piece = fc.oneof(
        fc.uint8Array({ maxLength: 400 }),
        fc.nat({ max: 2 * slab }).map((length) => new Uint8Array(length)),
        fc.nat({ max: 2 * slab }).map((length) => new Uint8Array(length).fill(7)),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
          const whole = Buffer.concat(pieces)
          await using staging = await store.stage()
          for (const bytes of pieces) await staging.append([bytes], signal)
          expect(staging.size).toBe(whole.length)
          expect(await staging.seal(signal)).toEqual({
            digest: digestOf(whole),
            size: whole.length,
          })
          await staging.publish(digestOf(whole))
          expect(await read(store, whole)).toEqual(whole)
        }),
        { numRuns: scale.runs },
      )
    })

    test('shows nothing under a digest before it is published', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = randomBytes(1000)
      await using staging = await store.stage()
      await staging.append([bytes], signal)
      await staging.seal(signal)
      expect(await store.stat(digestOf(bytes))).toBeNull()
      await expect(store.open(digestOf(bytes), null, signal)).rejects.toMatchObject({
        code: 'BLOB_UNKNOWN',
      })
      expect(await staging.read(10, 10, signal)).toEqual(bytes.subarray(10, 20))
      expect(await staging.read(990, 100, signal)).toEqual(bytes.subarray(990))
      expect(await staging.read(1000, 1, signal)).toEqual(Buffer.alloc(0))
    })

    test('gives back what is staged before all of it is there, zeros at its end among it', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      await using staging = await store.stage()
      await staging.append([Buffer.from('begin'), Buffer.alloc(12 * slab)], signal)
      const start = await staging.read(0, 2 * slab, signal)
      expect(start.equals(Buffer.concat([Buffer.from('begin'), Buffer.alloc(2 * slab - 5)]))).toBe(
        true,
      )
      await staging.append([Buffer.from('end')], signal)
      expect(await staging.read(12 * slab, 100, signal)).toEqual(Buffer.from('\0\0\0\0\0end'))
    })

    test('keeps every byte when zeros and others take turns, over many syncs', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const [zeros, other] = [Buffer.alloc(slab), randomBytes(slab)]
      const hash = createHash('sha256')
      function* turns() {
        for (let turn = 0; turn < scale.turns; turn += 1) {
          const piece = turn % 2 === 0 ? other : zeros
          hash.update(piece)
          yield piece
        }
      }
      await using staging = await store.stage()
      await staging.append(turns(), signal)
      const { digest } = await staging.seal(signal)
      expect(digest).toBe(`sha256:${hash.digest('hex')}`)
      await staging.publish(digest)
      const found = createHash('sha256')
      await using kept = await store.open(digest, null, signal)
      for await (const piece of kept.stream()) found.update(piece)
      expect(`sha256:${found.digest('hex')}`).toBe(digest)
    })

    test('publishes nothing that is not what was expected, and keeps nothing of it', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const staging = await store.stage()
      await staging.append([Buffer.from('one thing')], signal)
      await expect(staging.publish(digestOf(Buffer.from('another')))).rejects.toMatchObject({
        code: 'DIGEST_INVALID',
      })
      expect(await store.staged()).toEqual([])
      expect(await Array.fromAsync(store.list())).toEqual([])
    })

    test('discards what is left without being published', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      {
        await using staging = await store.stage()
        await staging.append([randomBytes(1000)], signal)
        expect(await store.staged()).toEqual([staging.id])
      }
      expect(await store.staged()).toEqual([])
    })

    test('amends the start, and tells the digest of what is there then', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const rest = randomBytes(2 * slab + 5)
      for (const amended of [true, false]) {
        await using staging = await store.stage({ amended })
        await staging.append([Buffer.alloc(4096)], signal)
        await staging.append([rest], signal)
        await staging.amend(Buffer.alloc(4096, 9))
        await staging.append([Buffer.from('end')], signal)
        const whole = Buffer.concat([Buffer.alloc(4096, 9), rest, Buffer.from('end')])
        expect((await staging.seal(signal)).digest).toBe(digestOf(whole))
      }
    })

    test('lets others hash the same bytes while they pass', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = randomBytes(5 * slab)
      const digester = openDigester(['md5', 'sha512'])
      await using staging = await store.stage()
      await staging.append([Buffer.from('before')], signal)
      await staging.append([bytes.subarray(0, 100), bytes.subarray(100)], signal, [digester])
      const hex = (name: string) => createHash(name).update(bytes).digest('hex')
      expect(await digester.finish()).toEqual({ md5: hex('md5'), sha512: hex('sha512') })
    })

    test('keeps what arrived before a body broke, and goes on behind it', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = randomBytes(slab + 100)
      await using staging = await store.stage()
      const broken = async function* () {
        yield bytes.subarray(0, slab + 3)
        throw new Error('the cable')
      }
      await expect(staging.append(broken(), signal)).rejects.toThrow('the cable')
      expect(staging.size).toBe(slab + 3)
      await staging.append([bytes.subarray(slab + 3)], signal)
      expect((await staging.seal(signal)).digest).toBe(digestOf(bytes))
    })

    test('goes on after a crash at the durable offset, with the same digest at the end', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = randomBytes(1024 * 1024)
      const crashed = await store.stage()
      const many = Array.from({ length: scale.sent }, () => bytes)
      await crashed.append(many, signal)
      await crashed.leave()
      const { id } = crashed
      const again = await (await open(folder.path)).resume(id)
      await using staging = again
      expect(staging?.offset).toBeGreaterThanOrEqual(scale.kept * 1024 * 1024)
      expect(staging?.size).toBe(staging?.offset)
      const whole = Buffer.concat(many)
      await staging?.append([whole.subarray(staging.offset)], signal)
      expect((await staging?.seal(signal))?.digest).toBe(digestOf(whole))
    })

    test('keeps every flushed byte over a crash, zeros at the end among them', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = Buffer.concat([randomBytes(slab + 5), Buffer.alloc(slab), randomBytes(9)])
      const crashed = await store.stage({ id: 'a-session' })
      for (const end of [slab + 5, 2 * slab + 5]) {
        await crashed.append([bytes.subarray(crashed.size, end)], signal)
        await crashed.flush()
        expect(crashed.offset).toBe(end)
      }
      await crashed.leave()
      await using again = await (await open(folder.path)).resume('a-session')
      expect(again?.size).toBe(2 * slab + 5)
      await again?.append([bytes.subarray(2 * slab + 5)], signal)
      expect(await again?.publish(digestOf(bytes))).toEqual({
        digest: digestOf(bytes),
        size: bytes.length,
      })
      expect(await read(store, bytes)).toEqual(bytes)
    })

    test('goes on with what was left, any number of times', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = randomBytes(3000)
      const first = await store.stage()
      await first.append([bytes.subarray(0, 1000)], signal)
      await first.flush()
      await first.leave()
      await using second = await store.resume(first.id)
      await second?.catchUp(signal)
      await second?.append([bytes.subarray(1000)], signal)
      await second?.flush()
      await second?.leave()
      await using third = await store.resume(first.id)
      expect(await third?.publish(digestOf(bytes))).toMatchObject({ size: 3000 })
      expect(await store.resume(first.id)).toBeNull()
    })

    test('publishes under another algorithm than the one it was staged with', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = randomBytes(2 * slab + 1)
      const digest = digestOf(bytes, 'sha512')
      for (const algorithm of ['sha256', 'sha512'] as const) {
        await using staging = await store.stage({ algorithm })
        await staging.append([bytes], signal)
        expect(await staging.publish(digest)).toEqual({ digest, size: bytes.length })
        expect(await store.stat(digest)).toEqual({ digest, size: bytes.length })
        await store.remove(digest)
      }
      await using staging = await store.stage()
      await staging.append([bytes.subarray(1)], signal)
      await expect(staging.publish(digest)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
      expect(await store.stat(digest)).toBeNull()
    })

    test('resumes nothing that is not there', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      expect(await store.resume('00000000-0000-0000-0000-000000000000')).toBeNull()
    })

    test('stops an append that is told to stop', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const controller = new AbortController()
      const endless = async function* () {
        for (;;) {
          yield randomBytes(slab)
          controller.abort(new Error('enough'))
        }
      }
      await using staging = await store.stage()
      await expect(staging.append(endless(), controller.signal)).rejects.toThrow('enough')
    })

    test('repairs a damaged blob when the same bytes come again', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = randomBytes(5000)
      await put(store, bytes)
      await damage(folder.path, digestOf(bytes))
      await put(store, bytes)
      expect(await read(store, bytes)).toEqual(bytes)
    })

    test('removes a blob, once', async () => {
      await using folder = await temporaryFolder()
      const store = await open(folder.path)
      const bytes = randomBytes(100)
      await put(store, bytes)
      expect(await Array.fromAsync(store.list())).toMatchObject([
        { digest: digestOf(bytes), size: 100 },
      ])
      expect(await store.remove(digestOf(bytes))).toBe(true)
      expect(await store.remove(digestOf(bytes))).toBe(false)
      expect(await store.stat(digestOf(bytes))).toBeNull()
    })

    test('keeps records whole, lists them, and leaves nothing of those that are removed', async () => {
      await using folder = await temporaryFolder()
      const { records } = await open(folder.path)
      expect(await records.read('cvi/a/_tags/latest')).toBeNull()
      await records.put('cvi/a/_tags/latest', Buffer.from('one'))
      await records.put('cvi/a/_tags/latest', Buffer.from('two'))
      await records.put('cvi/b/_tags/latest', Buffer.from('three'))
      expect(Buffer.from((await records.read('cvi/a/_tags/latest')) ?? []).toString()).toBe('two')
      expect((await Array.fromAsync(records.list('cvi'))).toSorted()).toEqual([
        'cvi/a/_tags/latest',
        'cvi/b/_tags/latest',
      ])
      await records.remove('cvi/a/_tags/latest')
      await records.remove('cvi/a/_tags/latest')
      await records.remove('cvi/b/_tags/latest')
      expect(await Array.fromAsync(records.list(''))).toEqual([])
      expect(await records.putNew('cvi/c/_tags/latest', Buffer.from('one'))).toBe(true)
      expect(await records.putNew('cvi/c/_tags/latest', Buffer.from('two'))).toBe(false)
      expect(Buffer.from((await records.read('cvi/c/_tags/latest')) ?? []).toString()).toBe('one')
    })

    test('keeps a record that comes while its folder is emptied', async () => {
      await using folder = await temporaryFolder()
      const { records } = await open(folder.path)
      for (let round = 0; round < 50; round += 1) {
        await records.put('cvi/a/_tags/old', Buffer.from('old'))
        await Promise.all([
          records.remove('cvi/a/_tags/old'),
          records.put('cvi/a/_tags/new', Buffer.from('new')),
        ])
        expect(await records.read('cvi/a/_tags/new')).not.toBeNull()
        await records.remove('cvi/a/_tags/new')
      }
    })

    test('tells how much can still be written', async () => {
      await using folder = await temporaryFolder()
      const free = await (await open(folder.path)).free()
      if (knowsRoom) expect(free).toBeGreaterThan(0)
      else expect(free).toBeNull()
    })
  })
}
