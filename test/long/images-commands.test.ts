import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { forever, startNeighbour } from '../support/http-neighbour.ts'
import { Running, slipway } from '../support/program.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const bytes = disk(mebibyte)
const at = (service: Service) => ({ SLIPWAY_URL: service.base })

const resources = new AsyncDisposableStack()
/** For those who leave it running. */
let shared: Service
beforeAll(async () => {
  shared = resources.use(await startService())
})
afterAll(() => resources.disposeAsync())

/** Where it was before: who listens comes back to the same address. */
async function startAgain(service: Service): Promise<void> {
  await service.start({ SLIPWAY_LISTEN: new URL(service.base).host })
}

describe('who waits', () => {
  test('waits through a restart, and for a file that somebody sends', async () => {
    await using service = await startService()
    const args = ['images', 'create', 'sent', '--upload', '--wait', '-o', 'name']
    await using waiting = new Running(args, at(service))
    await waiting.says(/send its file: slipway images upload FILE sent, or curl /)
    await service.kill()
    await waiting.says(/trying again/)
    await startAgain(service)
    const { imageUploadURLs } = (await service.rest.image('sent')).status
    expect((await send(imageUploadURLs?.external ?? '', bytes)).status).toBe(201)
    expect(await waiting.end()).toBe(0)
    expect(waiting.stdout).toBe('sent\n')
  })

  test('is told after Ctrl-C that the image goes on, and it does', async () => {
    await using waiting = new Running(
      ['images', 'create', 'left', '--upload', '--wait'],
      at(shared),
    )
    await waiting.says(/send its file/)
    expect(await waiting.end('SIGINT')).toBe(130)
    expect(waiting.stderr).toMatch(
      /^left goes on in the service; look at it with: slipway images get left\n$/m,
    )
    expect((await shared.rest.image('left')).status.phase).toBe('WaitForUserUpload')
  })

  test('may stop waiting for an answer that does not come', async () => {
    await using silent = await startNeighbour()
    silent.serve('/api/v1/images', { pause: { at: 'head', until: forever } })
    const args = ['images', 'create', 'a', '--upload', '--wait']
    await using waiting = new Running(args, { SLIPWAY_URL: silent.url('') })
    await expect.poll(() => silent.requests.length).toBe(1)
    expect(await waiting.end('SIGINT')).toBe(130)
    expect(waiting.stderr).toBe('stopped; look at what has begun with: slipway images ls\n')
  })

  test('learns that the image was deleted', async () => {
    const args = ['images', 'create', 'gone', '--upload', '--wait']
    await using waiting = new Running(args, at(shared))
    await waiting.says(/send its file/)
    await shared.rest.delete('gone')
    expect(await waiting.end()).toBe(1)
    expect(waiting.stderr).toMatch(/^gone was deleted$/m)
  })
})

describe('slipway images watch', () => {
  test('goes on after a kill of the service, without a gap, until the phase that is asked for', async () => {
    await using service = await startService()
    await using neighbour = await startNeighbour()
    await service.rest.createFrom(
      'a',
      neighbour.serve('/a', { pause: { at: 'head', until: forever } }),
    )
    await using all = new Running(['images', 'watch'], at(service))
    await using one = new Running(['images', 'watch', 'a', '--until', 'Ready'], at(service))
    await all.says(/"event":"image".*"name":"a"/)
    await one.says(/"event":"image".*"name":"a"/)
    await service.kill()
    await all.says(/trying again/)
    neighbour.serve('/a', { bytes })
    await startAgain(service)
    expect(await one.end()).toBe(0)
    await all.says(/"phase":"Ready"/)
    const { uid } = await service.rest.image('a')
    await service.rest.delete('a')
    await all.says(new RegExp(`^\\{"event":"deleted","name":"a","uid":"${uid}"\\}$`, 'm'))
    expect(await all.end('SIGINT')).toBe(130)
  })

  test('ends with 1 when the image fails or is none', async () => {
    await using neighbour = await startNeighbour()
    await shared.rest.createFrom('bad', neighbour.serve('/bad', { status: 404 }))
    const [failed, missing] = await Promise.all([
      slipway(['images', 'watch', 'bad', '--until', 'Ready', '-o', 'name'], at(shared)),
      slipway(['images', 'watch', 'nobody'], at(shared)),
    ])
    expect(failed.code).toBe(1)
    expect(failed.stderr).toMatch(/^bad is Failed: .*404/)
    expect(missing).toEqual({ code: 1, stdout: '', stderr: 'there is no image "nobody"\n' })
  })
})

describe('what the service refuses', () => {
  test('a viewer is told who can help, and others are done what can be done', async () => {
    await using folder = await temporaryFolder()
    const paths = await writeCallers(folder.path)
    await using service = await startService({ SLIPWAY_TOKENS_FILE: paths.tokens })
    const as = (name: string) => ({ ...at(service), SLIPWAY_TOKEN: tokenOf(name) })
    await service.rest.as(tokenOf('editor')).createUpload('a')
    const [listed, denied, kept, unknown] = await Promise.all([
      slipway(['images', 'get', 'a', '-o', 'table'], as('viewer')),
      slipway(['images', 'create', 'b', '--upload'], as('viewer')),
      slipway(['images', 'delete', 'a', 'nobody'], as('viewer')),
      slipway(['images', 'ls'], as('stranger')),
    ])
    expect(listed).toMatchObject({ code: 0, stderr: '' })
    expect(listed.stdout).not.toMatch(/upload\//)
    expect(denied).toMatchObject({ code: 2, stdout: '' })
    expect(denied.stderr).toMatch(
      /^b: "viewer" may .*ask whoever runs this service for the right\n$/,
    )
    expect(kept).toMatchObject({ code: 2, stdout: '{"deleted":[]}\n' })
    expect(unknown).toMatchObject({ code: 2, stdout: '' })
    expect(unknown.stderr).not.toContain('stranger-token')
    const retried = await slipway(['images', 'retry', 'a', 'nobody'], as('editor'))
    expect(retried).toMatchObject({ code: 2, stdout: '' })
    expect(retried.stderr).toMatch(/^a: .*\nthere is no image "nobody"\n$/)
  })

  test('a file of several images is created as far as it goes, as often as one likes', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'images.yaml')
    const source = '{type: ObjectRef, objectRef: {kind: ClusterVirtualImage, name: other}}'
    const manifest = `kind: ClusterVirtualImage\nmetadata: {name: a}\nspec: {dataSource: ${source}}\n`
    await writeFile(file, `---\n${manifest}---\n{name: b, dataSource: {type: Upload}}\n`)
    const create = async () =>
      await slipway(['images', 'create', '-f', file, '-o', 'name'], at(shared))
    expect(await create()).toEqual({ code: 0, stdout: 'a\nb\n', stderr: '' })
    expect(await create()).toEqual({ code: 0, stdout: 'a\nb\n', stderr: '' })
    const other = `{"name": "a", "dataSource": {"type": "Upload"}}`
    const fed = await slipway(['images', 'create', '-f', '-'], at(shared), other)
    expect(fed).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^a: /) })
  })
})
