import { describe, expect, test } from 'vitest'
import { readManifest } from '../../../src/image/document.ts'
import { digestOf } from '../../../src/image/digest.ts'
import { imageManifest } from '../../support/push-content.ts'
import { blobOf, chunk, never, openBench } from '../../support/push-bench.ts'

const repository = 'a/b'
const blob = blobOf('config and layer')

const manifest = () => {
  const made = imageManifest(blob, [blob])
  const bytes = Buffer.from(made.bytes)
  const document = readManifest(bytes, made.mediaType)
  return { digest: digestOf(bytes), bytes, document, tags: ['one', 'two'] }
}
const { digest } = manifest()
const keys = [`${repository}/_manifests/${digest}`, `a/b/_tags/one`, `a/b/_tags/two`]

/** A manifest that is here, and a store whose records cannot be changed from some time on, as if the service was killed. */
async function openDying() {
  const bench = await openBench()
  const { store } = bench
  const alive = store.records
  const state = { isDead: false }
  const orDie = (work: () => Promise<void>) => {
    if (state.isDead) throw new Error('killed')
    return work()
  }
  const dying = bench.assemble(
    new Proxy(store, {
      get(target, name) {
        if (name !== 'records') {
          const value: unknown = Reflect.get(target, name)
          return typeof value === 'function' ? value.bind(target) : value
        }
        return {
          put: (key: string, bytes: Uint8Array) => orDie(() => alive.put(key, bytes)),
          remove: (key: string) => orDie(() => alive.remove(key)),
          read: (key: string) => alive.read(key),
          list: (prefix: string) => alive.list(prefix),
        }
      },
    }),
  )
  await dying.pushes.whole(repository, blob.digest, chunk(blob.bytes), never)
  const recorded = () => Array.fromAsync(alive.list(''))
  return {
    bench,
    ...dying,
    recorded,
    die: () => (state.isDead = true),
    revive: () => (state.isDead = false),
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  }
}

describe('records of what was pushed', () => {
  test('come with the next start when the service was killed before them', async () => {
    await using dying = await openDying()
    const { bench, repositories, recorded, die } = dying
    die()
    await expect(repositories.put(repository, manifest(), never)).rejects.toThrow('killed')
    expect(await recorded()).toEqual([])
    await bench.restart()
    expect((await recorded()).toSorted()).toEqual(keys)
  })

  test('go with the next start when the service was killed before that', async () => {
    await using dying = await openDying()
    const { bench, repositories, recorded, die } = dying
    await repositories.put(repository, manifest(), never)
    expect((await recorded()).toSorted()).toEqual(keys)
    die()
    await expect(repositories.untag(repository, 'two')).rejects.toThrow('killed')
    await expect(repositories.remove(repository, digest)).rejects.toThrow('killed')
    await bench.restart()
    expect(await recorded()).toEqual([])
  })

  test('come later when the store was away, without a start in between', async () => {
    await using dying = await openDying()
    const { repositories, recorded, die, revive } = dying
    await repositories.put(repository, manifest(), never)
    die()
    await expect(repositories.untag(repository, 'two')).rejects.toThrow('killed')
    await expect(repositories.catchUp()).rejects.toThrow('killed')
    revive()
    await repositories.catchUp()
    expect((await recorded()).toSorted()).toEqual(keys.slice(0, 2))
    await expect(repositories.remove(repository, digest)).resolves.toBe(true)
    die()
    // Nothing is left to do.
    await repositories.catchUp()
  })

  test('are looked at once after a start, and no more', async () => {
    await using bench = await openBench()
    await bench.pushes.whole(repository, blob.digest, chunk(blob.bytes), never)
    await bench.repositories.put(repository, manifest(), never)
    await bench.repositories.untag(repository, 'one')
    expect(await bench.catalog.read.recordDebts.some(10)).toEqual(['a/b/_tags/one'])
    await bench.restart()
    expect(await bench.catalog.read.recordDebts.some(10)).toEqual([])
  })
})
