import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { FileBody } from '../../../src/store/file-body.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const { signal } = new AbortController()

test.each([
  ['of some bytes', 'bytes', { start: 0, end: 4 }],
  ['of no bytes', '', { start: 0, end: -1 }],
])('a stream %s closes its file when it has been read', async (_, text, range) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  await writeFile(path, text)
  const file = await open(path)
  const body = new FileBody(file, range, signal).stream()
  expect((await buffer(body)).toString()).toBe(text)
  await expect.poll(() => file.fd).toBe(-1)
})

test('a stream of no bytes closes its file when nobody reads it', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file')
  await writeFile(path, '')
  const file = await open(path)
  new FileBody(file, { start: 0, end: -1 }, signal).stream().destroy()
  await expect.poll(() => file.fd).toBe(-1)
})
