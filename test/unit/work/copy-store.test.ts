import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../src/image/digest.ts'
import { FilesystemStore } from '../../../src/store/filesystem.ts'
import type { Staging, Store } from '../../../src/store/store.ts'
import { becomeOriginal } from '../../../src/work/copy-mark.ts'
import { pushedTagKey } from '../../../src/work/tag-record.ts'
import {
  blobPath,
  contentsOf,
  copied,
  put,
  putImage,
  read,
  signal,
} from '../../support/store-pairs.ts'
import { temporaryFolder } from '../../support/temporary.ts'

async function pair() {
  const folder = await temporaryFolder()
  const [a, b] = [`${folder.path}/a`, `${folder.path}/b`]
  const from = await FilesystemStore.open(a)
  const to = await FilesystemStore.open(b)
  return { from, to, a, b, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

/** As a service does it that is started on the store. */
async function identify(store: Store, id: string, generation: number) {
  await store.records.put('_store/id', Buffer.from(JSON.stringify({ id, generation })))
}

/** The store, with one of its methods in other hands. */
function changed(store: Store, changes: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(name in changes ? changes : target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe('copying a store', () => {
  test('makes the target hold what the source holds, and nothing is left staged', async () => {
    await using on = await pair()
    const image = await putImage(on.from, 'one', 3_000_000)
    await putImage(on.from, 'two')
    await put(on.from, Buffer.alloc(0))
    const { copied: blobs, present, records, problems } = await copied(on.from, on.to)
    expect({ blobs, present, records, problems }).toEqual({
      blobs: 7,
      present: 0,
      records: 4,
      problems: [],
    })
    expect(await contentsOf(on.to)).toEqual(await contentsOf(on.from))
    expect(digestOf(await read(on.to, image.layer))).toBe(image.layer)
    expect(await on.to.staged()).toEqual([])
  })

  test('once more brings what came since and takes away what was deleted', async () => {
    await using on = await pair()
    const gone = await putImage(on.from, 'gone')
    await putImage(on.from, 'kept')
    await copied(on.from, on.to)
    await on.from.records.remove(pushedTagKey('team/app', gone.tag))
    await on.from.records.remove(`team/app/_manifests/${gone.manifest}`)
    await on.from.remove(gone.layer)
    await putImage(on.from, 'new')
    expect(await copied(on.from, on.to)).toMatchObject({
      copied: 3,
      present: 5,
      records: 2,
      removed: 2,
    })
    expect((await contentsOf(on.to)).records).toEqual((await contentsOf(on.from)).records)
    expect(await on.to.stat(gone.layer)).not.toBeNull()
  })

  test.each([false, true])(
    'goes on after its source was started again, over a served copy: %s',
    async (is) => {
      await using on = await pair()
      await identify(on.from, 'this one', 1)
      await putImage(on.from, 'one')
      await copied(on.from, on.to)
      if (is) await becomeOriginal(on.to)
      await identify(on.from, 'this one', 2)
      await putImage(on.from, 'two')
      expect(await copied(on.from, on.to, { replaces: is })).toMatchObject({ copied: 3 })
      expect(await contentsOf(on.to)).toEqual(await contentsOf(on.from))
    },
  )

  test('leaves out what is damaged in the source, and its record, and says so', async () => {
    await using on = await pair()
    const bad = await putImage(on.from, 'bad')
    const good = await putImage(on.from, 'good')
    const path = blobPath(on.a, bad.layer)
    const bytes = await readFile(path)
    bytes[77] = 1 ^ (bytes[77] ?? 0)
    await writeFile(path, bytes)
    const done = await copied(on.from, on.to)
    expect(done).toMatchObject({ copied: 5, unreadable: 1, leftOut: 2 })
    expect(done.problems.join('\n')).toContain(bad.layer)
    expect(await on.to.stat(bad.layer)).toBeNull()
    expect(await on.to.records.read(pushedTagKey('team/app', bad.tag))).toBeNull()
    expect(await on.to.records.read(pushedTagKey('team/app', good.tag))).not.toBeNull()
    expect(await on.to.staged()).toEqual([])
  })

  test('repairs a blob of the target that is too short, and one with other bytes when it verifies', async () => {
    await using on = await pair()
    const { layer, config } = await putImage(on.from, 'one')
    await copied(on.from, on.to)
    await writeFile(blobPath(on.b, config), '{')
    await writeFile(blobPath(on.b, layer), Buffer.alloc(10_000))
    expect(await copied(on.from, on.to)).toMatchObject({ copied: 1, present: 2 })
    expect(digestOf(await read(on.to, layer))).not.toBe(layer)
    expect(await copied(on.from, on.to, { verify: true })).toMatchObject({ copied: 1, present: 2 })
    expect(await contentsOf(on.to)).toEqual(await contentsOf(on.from))
    expect(digestOf(await read(on.to, layer))).toBe(layer)
  })

  test('goes on with a blob where it was stopped, and begins it anew when that was something else', async () => {
    await using on = await pair()
    const bytes = randomBytes(3_000_000)
    const digest = await put(on.from, bytes)
    const begin = async (start: Uint8Array) => {
      await copied(on.from, on.to).then(() => on.to.remove(digest))
      const id = `copy-${digest.replace(':', '-')}`
      const staging = await on.to.stage({ id })
      await staging.append([start], signal)
      await staging.flush()
      await staging.leave()
    }
    const starts: number[] = []
    const watched = changed(on.from, {
      open: async (which, range, within) => {
        starts.push(range?.start ?? 0)
        return await on.from.open(which, range, within)
      },
    })
    await begin(bytes.subarray(0, 2_000_000))
    await copied(watched, on.to)
    expect(starts).toEqual([2_000_000])
    await begin(Buffer.alloc(1_000_000, 7))
    expect(await copied(watched, on.to)).toMatchObject({ copied: 1, unreadable: 0 })
    expect(starts).toEqual([2_000_000, 1_000_000, 0])
    expect((await read(on.to, digest)).equals(bytes)).toBe(true)
  })

  test('keeps what came when it is told to stop', async () => {
    await using on = await pair()
    await put(on.from, randomBytes(5_000_000))
    const stopping = new AbortController()
    const why = new Error('enough')
    const to = changed(on.to, {
      stage: async (options) => stoppedAfter(await on.to.stage(options), () => stopping.abort(why)),
    })
    await expect(copied(on.from, to, {}, stopping.signal)).rejects.toBe(why)
    const [id = ''] = await on.to.staged()
    await using left = await on.to.resume(id)
    expect(left?.offset).toBeGreaterThan(0)
  })
})

/** A staging that tells when it has some bytes of an append. */
function stoppedAfter(staging: Staging, tell: () => void): Staging {
  return new Proxy(staging, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name === 'append') {
        const append: Staging['append'] = (body, within) =>
          target.append(countedTo(2_000_000, body, tell), within)
        return append
      }
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function* countedTo(limit: number, body: Parameters<Staging['append']>[0], tell: () => void) {
  let count = 0
  for await (const chunk of body) {
    yield chunk
    count += chunk.length
    if (count >= limit) tell()
  }
}

describe('copying a store that is served', () => {
  test('leaves out what is deleted while it is listed', async () => {
    await using on = await pair()
    const gone = await putImage(on.from, 'gone')
    const from = changed(on.from, {
      open: async (digest, range, within) => {
        if (digest === gone.layer) await on.from.remove(digest)
        if (digest === gone.layer) await on.from.records.remove(pushedTagKey('team/app', 'gone'))
        return await on.from.open(digest, range, within)
      },
    })
    await on.from.records.remove(`team/app/_manifests/${gone.manifest}`)
    const done = await copied(from, on.to)
    expect(done).toMatchObject({ copied: 2, gone: 1, leftOut: 0, problems: [] })
    expect((await contentsOf(on.to)).records).toEqual([])
  })

  test('takes no blob for damaged that is deleted while it is read', async () => {
    await using on = await pair()
    const image = await putImage(on.from, 'gone')
    await putImage(on.from, 'kept')
    const cut: Store['open'] = async (digest, range, within) => {
      if (digest !== image.layer) return await on.from.open(digest, range, within)
      await on.from.records.remove(pushedTagKey('team/app', image.tag))
      await on.from.records.remove(`team/app/_manifests/${image.manifest}`)
      await on.from.remove(digest)
      throw new Error('the object is missing')
    }
    const from = changed(on.from, { open: cut })
    expect(await copied(from, on.to)).toMatchObject({ gone: 1, unreadable: 0, problems: [] })
  })

  test('brings the blobs of an image that came after they had been listed, before its record', async () => {
    await using on = await pair()
    await putImage(on.from, 'before')
    let listings = 0
    const from = changed(on.from, {
      async *list() {
        yield* on.from.list()
        // The first one is for the sum.
        if ((listings += 1) === 2) await putImage(on.from, 'later')
      },
    })
    expect(await copied(from, on.to)).toMatchObject({ copied: 6, records: 4, problems: [] })
    expect((await contentsOf(on.to)).records).toEqual((await contentsOf(on.from)).records)
  })
})

describe('the target', () => {
  test('may be empty or a copy of the same source, and nothing else', async () => {
    await using on = await pair()
    await putImage(on.from, 'one')
    await copied(on.from, on.to)
    await expect(copied(on.from, on.to, { place: 'filesystem:/other' })).rejects.toThrow(
      'the target is a copy of filesystem:/from',
    )
    await expect(copied(on.to, on.from, { place: 'filesystem:/to' })).rejects.toThrow(
      'holds images and is no copy',
    )
  })

  test('is no copy any more once it is served, but may be replaced when it is the same storage', async () => {
    await using on = await pair()
    await identify(on.from, 'seven', 4)
    await putImage(on.from, 'one')
    await copied(on.from, on.to)
    await becomeOriginal(on.to)
    await identify(on.to, 'seven', 5)
    await putImage(on.to, 'two')
    await expect(copied(on.from, on.to)).rejects.toThrow('has been served')
    await expect(copied(on.to, on.from)).rejects.toThrow('--replace')
    // The target has what came since.
    await expect(copied(on.from, on.to, { replaces: true })).rejects.toThrow('the target holds')
    await copied(on.to, on.from, { replaces: true })
    expect(await contentsOf(on.from)).toEqual(await contentsOf(on.to))
    await identify(on.to, 'eight', 9)
    await becomeOriginal(on.from)
    await expect(copied(on.to, on.from, { replaces: true })).rejects.toThrow('the target holds')
  })

  test('is not served before it is complete', async () => {
    await using on = await pair()
    await putImage(on.from, 'one')
    const late = AbortSignal.abort(new Error('stopped'))
    await expect(copied(on.from, on.to, {}, late)).rejects.toThrow('stopped')
    await expect(becomeOriginal(on.to)).rejects.toThrow('not complete')
    await copied(on.from, on.to)
    await becomeOriginal(on.to)
    await becomeOriginal(on.to)
  })

  test('is told to be too small before anything is copied', async () => {
    await using on = await pair()
    await putImage(on.from, 'one', 3_000_000)
    const to = changed(on.to, { free: () => Promise.resolve(66 * 1_048_576) })
    await expect(copied(on.from, to)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    expect((await contentsOf(on.to)).blobs).toEqual([])
  })
})
