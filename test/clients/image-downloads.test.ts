import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { send } from '../support/rest.ts'
import { program } from '../support/program.ts'
import { startService, type Service } from '../support/service.ts'
import { run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { asking, images } from '../support/transfers.ts'

const size = 16 * mebibyte
/** With zeros in its middle and at its end. */
const bytes = disk(size)
bytes.fill(0, 4 * mebibyte, 10 * mebibyte).fill(0, 13 * mebibyte)

const resources = new AsyncDisposableStack()
let folder: string
let service: Service
beforeAll(async () => {
  folder = resources.use(await temporaryFolder()).path
  service = resources.use(await startService())
  await send(await service.rest.createUpload('sparse'), bytes)
})
afterAll(() => resources.disposeAsync())

describe('slipway images download', () => {
  test('makes a file with the name that the service tells, and holes where the zeros are', async () => {
    const { code, stdout, stderr } = await images(service.base, ['download', 'sparse'], {
      cwd: folder,
    })
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    expect(stderr).toMatch(/^sparse is in sparse\.img: 16Mi, sha256:[0-9a-f]{64}\n$/)
    const path = join(folder, 'sparse.img')
    expect((await readFile(path)).equals(bytes)).toBe(true)
    expect((await stat(path)).blocks * 512).toBeLessThan(8 * mebibyte)
  })

  test('replaces no file unless it is told to', async () => {
    const path = join(folder, 'taken')
    await writeFile(path, 'mine')
    expect(await images(service.base, ['download', 'sparse', path])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--force'),
    })
    expect(await readFile(path, 'utf8')).toBe('mine')
    expect((await images(service.base, ['download', 'sparse', path, '--force'])).code).toBe(0)
    expect((await readFile(path)).equals(bytes)).toBe(true)
  })

  test('replaces nothing that is no file, and names a path that is none', async () => {
    const pipe = join(folder, 'pipe')
    await run('mkfifo', [pipe])
    for (const [path, words] of [
      [pipe, 'is no file'],
      [join(folder, 'none', 'file'), 'no such file'],
      [join(folder, 'n'.repeat(250)), 'name too long'],
    ] as const) {
      const refused = await images(service.base, ['download', 'sparse', path, '--force'])
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
    }
    expect((await stat(pipe)).isFIFO()).toBe(true)
  })

  test.each(['', '.', '..'])('asks nothing for an image called "%s"', async (name) => {
    const none = { code: 1, stderr: `there is no image "${name}"\n` }
    expect(await images(service.base, ['download', name, 'q'], { cwd: folder })).toMatchObject(none)
  })

  test('gives the bytes to a program, and leaves nothing where there is no such image', async () => {
    const pipe = `"${process.execPath}" "${program}" images download sparse - | cmp - "$0"`
    const whole = join(folder, 'whole')
    await writeFile(whole, bytes)
    await run('sh', ['-c', pipe, whole], { env: asking(service.base) })
    const none = await images(service.base, ['download', 'none', join(folder, 'none')])
    expect(none).toMatchObject({ code: 1, stderr: 'there is no image "none"\n' })
    await service.rest.createUpload('waits')
    const early = await images(service.base, ['download', 'waits', join(folder, 'waits')])
    expect(early).toMatchObject({ code: 2, stderr: expect.stringContaining('not here yet') })
    await expect(stat(join(folder, 'none'))).rejects.toThrow('ENOENT')
  })
})
