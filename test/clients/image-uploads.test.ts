import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { startService, type Service } from '../support/service.ts'
import { run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { images } from '../support/transfers.ts'

const size = 16 * mebibyte
const bytes = disk(size)
const sha256 = createHash('sha256').update(bytes).digest('hex')

const resources = new AsyncDisposableStack()
let folder: string
let file: string
let shared: Service
beforeAll(async () => {
  folder = resources.use(await temporaryFolder()).path
  file = join(folder, 'First Disk.img')
  await writeFile(file, bytes)
  shared = resources.use(await startService())
})
afterAll(() => resources.disposeAsync())

describe('slipway images upload', () => {
  test('makes an image that is called as the file is, and a second time finds it there', async () => {
    const { code, stdout } = await images(shared.base, ['upload', file])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'first-disk',
      status: { phase: 'Ready', source: { sha256, bytes: String(size) } },
    })
    const again = await images(shared.base, ['upload', file, '-o', 'table'])
    expect(again.code).toBe(0)
    expect(again.stdout).toMatch(/^first-disk is Ready: raw, 16Mi, /)
    const other = join(folder, 'first-disk.raw')
    await writeFile(other, disk(size, 2))
    const refused = await images(shared.base, ['upload', other])
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/"first-disk" is Ready with other bytes .*delete it/),
    })
  })

  test('takes what comes by standard input', async () => {
    const sent = await images(shared.base, ['upload', '-', 'piped'], { input: bytes })
    expect(sent.code).toBe(0)
    expect((await shared.rest.image('piped')).status.source).toMatchObject({ sha256 })
    expect(await images(shared.base, ['upload', '-'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('give a NAME'),
    })
  })

  test('tells a refusal in the words of the service, and begins again with a better file', async () => {
    const path = join(folder, 'better.img')
    await writeFile(path, 'no image\n'.repeat(mebibyte))
    const refused = await images(shared.base, ['upload', path])
    expect(refused).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('no disk image but a text'),
    })
    await writeFile(path, bytes)
    const taken = await images(shared.base, ['upload', path])
    expect(taken).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/"better" is Failed \(.+\); it begins again/),
    })
  })

  test('refuses what is no file with bytes in it, and an image of other origin', async () => {
    const empty = join(folder, 'empty.img')
    await writeFile(empty, '')
    const pipe = join(folder, 'pipe')
    await run('mkfifo', [pipe])
    await shared.rest.createFrom('elsewhere', 'http://127.0.0.1:1/image')
    for (const [args, words] of [
      [[empty], 'is empty'],
      [[folder], 'is no file'],
      [[pipe], 'is no file'],
      [[join(folder, 'none')], 'no such file'],
      [[file, 'elsewhere'], 'made from HTTP'],
      [[file, 'Not.A.Name'], 'dot'],
    ] as const) {
      const refused = await images(shared.base, ['upload', ...args])
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
    }
    expect((await images('http://127.0.0.1:1', ['upload', file])).code).toBe(3)
  })
})
