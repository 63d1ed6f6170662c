import { expect, test } from 'vitest'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { temporaryFolder } from '../support/temporary.ts'

const { signal } = new AbortController()

test('bytes that fill no slab are kept while their sender rests', async () => {
  await using folder = await temporaryFolder()
  await using store = await FilesystemStore.open(folder.path)
  const rests = Promise.withResolvers<void>()
  const body = async function* () {
    yield Buffer.from('a first part, ')
    await rests.promise
    yield Buffer.from('and the rest')
  }
  await using staging = await store.stage({ id: 'one' })
  const appended = staging.append(body(), signal)
  await expect.poll(() => staging.offset, { timeout: 10_000 }).toBe('a first part, '.length)
  rests.resolve()
  await appended
  const { size } = await staging.seal(signal)
  const text = 'a first part, and the rest'
  expect(String(await staging.read(0, size, signal))).toBe(text)
})
