import { randomBytes } from 'node:crypto'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { describeStore, whole } from '../support/store-suite.ts'
import { temporaryFolder } from '../support/temporary.ts'

const signal = new AbortController().signal

describeStore({
  name: 'filesystem',
  open: (folder) => FilesystemStore.open(folder),
  damage: async (folder, digest) => {
    const names = await readdir(folder, { recursive: true })
    const path = names.find((name) => name.endsWith(digest.slice(7))) ?? ''
    await truncate(join(folder, path), 10)
  },
  knowsRoom: true,
  scale: whole,
})

describe('the filesystem store', () => {
  test('takes an unreadable offset for nothing at all', async () => {
    await using folder = await temporaryFolder()
    const store = await FilesystemStore.open(folder.path)
    const crashed = await store.stage()
    await crashed.append([randomBytes(1000)], signal)
    await crashed.leave()
    const path = join(folder.path, 'staging', crashed.id, 'offset')
    await writeFile(path, '0000000000000000100x')
    await using again = await store.resume(crashed.id)
    expect(again?.size).toBe(0)
    expect(await readFile(join(folder.path, 'staging', crashed.id, 'data'))).toHaveLength(0)
  })

  test('keeps what came while more may come, whatever of a slab that fills', async () => {
    await using folder = await temporaryFolder()
    const store = await FilesystemStore.open(folder.path)
    await using staging = await store.stage()
    const body = new PassThrough()
    const appended = staging.append(body, signal)
    const all = [3, 0, 200_000, 700_000, 1, 5_000_000].map((length, index) =>
      index % 3 === 2 ? Buffer.alloc(length) : randomBytes(length),
    )
    for (const [index, bytes] of all.entries()) {
      body.write(bytes)
      const length = all.slice(0, index + 1).reduce((sum, one) => sum + one.length, 0)
      await expect.poll(() => staging.size).toBe(length)
      await staging.keep()
      expect(staging.offset).toBe(length)
      const path = join(folder.path, 'staging', staging.id)
      expect(Number(await readFile(join(path, 'offset'), 'latin1'))).toBe(length)
      const bytesNow = await readFile(join(path, 'data'))
      expect(bytesNow.equals(Buffer.concat(all.slice(0, index + 1)))).toBe(true)
    }
    body.end()
    await appended
    const whole = Buffer.concat(all)
    await staging.publish((await staging.seal(signal)).digest)
    expect((await store.stat(digestOf(whole)))?.size).toBe(whole.length)
  })

  test('drops records that a crash left half written, and looks at no others for that', async () => {
    await using folder = await temporaryFolder()
    const { records } = await FilesystemStore.open(folder.path)
    await records.put('cvi/a/_tags/latest', Buffer.from('whole'))
    await writeFile(join(folder.path, 'repositories', '.new', 'a'), 'ha')
    const before = join(folder.path, 'repositories', 'cvi', 'a', '_tags', '.new-a')
    await writeFile(before, 'of an earlier version')
    expect(await Array.fromAsync(records.list(''))).toEqual(['cvi/a/_tags/latest'])
    expect(await strayNames(folder.path)).toHaveLength(2)
    await FilesystemStore.open(folder.path)
    expect(await strayNames(folder.path)).toEqual([before])
    expect(Buffer.from((await records.read('cvi/a/_tags/latest')) ?? []).toString()).toBe('whole')
  })
})

async function strayNames(folder: string) {
  const store = await FilesystemStore.beside(folder)
  const strays = await Array.fromAsync(store.strays(Date.now() + 1000))
  return strays.map(({ name }) => name)
}
