import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { hexOf, type Digest } from '../../../src/image/digest.ts'
import { reserve } from '../../../src/work/publish.ts'
import { begunIn, blobOf, chunk, never, nothing, openBench } from '../../support/push-bench.ts'

const repository = 'a/b'
const blob = blobOf('the bytes of a blob')

type Bench = Awaited<ReturnType<typeof openBench>>

const held = ({ catalog }: Bench) => catalog.read.holdings.blobSize(repository, blob.digest)
const begun = (bench: Bench, text?: string) => begunIn(bench, repository, text)

/** Where the bytes of a blob lie. */
async function placeOf(digest: Digest, folder: string): Promise<string> {
  const hex = hexOf(digest)
  const place = join(folder, 'blobs', 'sha256', hex.slice(0, 2))
  await mkdir(place, { recursive: true })
  return join(place, hex)
}

describe('after a crash', () => {
  test('a session goes on at what was acknowledged', async () => {
    await using bench = await openBench()
    const id = await begun(bench)
    const { pushes } = await bench.restart()
    expect(await pushes.offset(repository, id, never)).toBe(9)
    await pushes.finish(repository, id, blob.digest, chunk(' of a blob', 9), never)
    expect(await held(bench)).toBe(blob.size)
  })

  test('between the blob and its entry, the blob is there or can be finished', async () => {
    await using bench = await openBench()
    const { store } = bench
    const id = await begun(bench, blob.bytes.toString())
    await bench.pushes.close()
    await reserve(id, [{ digest: blob.digest, size: blob.size }], bench)
    const staging = await store.resume(id)
    await staging?.publish(blob.digest)
    const { pushes } = await bench.restart()
    const offset = await pushes.offset(repository, id, never).catch(() => null)
    if (offset === null) expect(await held(bench)).toBe(blob.size)
    else expect(offset).toBe(blob.size)
  })

  test('before the first file of its folder, a session goes on', async () => {
    await using bench = await openBench()
    const id = await begun(bench, '')
    await mkdir(join(bench.folder, 'staging', id))
    const { pushes } = await bench.restart()
    expect(await pushes.offset(repository, id, never)).toBe(0)
    await pushes.finish(repository, id, blob.digest, chunk(blob.bytes), never)
    expect(await held(bench)).toBe(blob.size)
  })

  test('between the blob and the end of its folder, it is there or can be pushed', async () => {
    await using bench = await openBench()
    const { folder } = bench
    const id = await begun(bench, blob.bytes.toString())
    await bench.pushes.close()
    await reserve(id, [{ digest: blob.digest, size: blob.size }], bench)
    await rename(join(folder, 'staging', id, 'data'), await placeOf(blob.digest, folder))
    const { pushes } = await bench.restart()
    const offset = await pushes.offset(repository, id, never).catch(() => null)
    if (offset === null) return expect(await held(bench)).toBe(blob.size)
    expect(offset).toBe(blob.size)
    await pushes.finish(repository, id, blob.digest, nothing(), never)
    expect(await held(bench)).toBe(blob.size)
  })

  test('a stream is taken though the offset is asked for at the same time', async () => {
    await using bench = await openBench()
    const id = await begun(bench)
    const { pushes } = await bench.restart()
    const asked = pushes.offset(repository, id, never)
    expect(await pushes.append(repository, id, chunk(' of'), never)).toBe(12)
    expect(await asked).toBe(9)
  })

  test('without the record of what is durable, a session goes on', async () => {
    await using bench = await openBench()
    const id = await begun(bench)
    await bench.pushes.close()
    await rm(join(bench.folder, 'staging', id, 'offset'))
    const { pushes } = await bench.restart()
    expect(await pushes.offset(repository, id, never)).toBe(0)
    await pushes.finish(repository, id, blob.digest, chunk(blob.bytes), never)
    expect(await held(bench)).toBe(blob.size)
  })
})

describe('when the catalog cannot be written behind the bytes of a blob', () => {
  test('the session goes on once it can, with nothing to send again', async () => {
    await using bench = await openBench('catalog.sqlite')
    const { pushes, folder } = bench
    const id = await begun(bench, blob.bytes.toString())
    using database = openBeside(join(folder, 'catalog.sqlite'))
    database.run(
      "create trigger full before delete on push_sessions begin select raise(abort, 'full'); end",
    )
    const finish = () => pushes.finish(repository, id, blob.digest, nothing(), never)
    await expect(finish()).rejects.toThrow('full')
    database.run('drop trigger full')
    const offset = await pushes.offset(repository, id, never).catch(() => null)
    if (offset !== null) {
      expect(offset).toBe(blob.size)
      await finish()
    }
    expect(await held(bench)).toBe(blob.size)
  })
})

/** The same catalog, as another program would write it. */
function openBeside(path: string) {
  const database = new Sqlite(path)
  return {
    run: (statement: string) => void database.exec(statement),
    [Symbol.dispose]: () => void database.close(),
  }
}
