import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { EventStream, Mirror } from '../support/event-source.ts'
import { get } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

test('events tell each caller what it may see, for as long as it may', async () => {
  await using folder = await temporaryFolder()
  const paths = await writeCallers(folder.path)
  await using service = await startService({
    SLIPWAY_TOKENS_FILE: paths.tokens,
    SLIPWAY_HTPASSWD_FILE: paths.passwords,
    SLIPWAY_ACCESS_FILE: paths.access,
  })
  const editor = service.rest.as(tokenOf('editor'))
  const all = `${service.base}/api/v1/events`
  const listen = (name: string, url = all) => EventStream.open(url, '', tokenOf(name))
  const statusOf = async (url: string, authorization: string) =>
    (await get(url, { authorization })).status

  expect((await get(all)).status).toBe(401)
  const puller = `Basic ${Buffer.from('node:of the cluster').toString('base64')}`
  expect(await statusOf(all, puller)).toBe(403)

  await using writer = await listen('editor')
  await using viewer = await listen('viewer')
  await editor.createUpload('secret-one')
  await editor.createUpload('open')
  const written = await writer.until(({ id }) => id === '2')
  const viewed = await viewer.until(({ id }) => id === '2')
  expect(written.all.map(({ name }) => name)).toEqual(['open', 'secret-one'])
  expect(viewed.all).toEqual([await service.rest.as(tokenOf('viewer')).image('open')])
  expect(written.images.get('open')?.status).toHaveProperty('uploadCommand')
  expect(viewed.images.get('open')?.status).not.toHaveProperty('uploadCommand')

  const ofSecret = editor.url('/secret-one/events')
  expect(await statusOf(ofSecret, `Bearer ${tokenOf('viewer')}`)).toBe(403)
  await using alone = await listen('editor', ofSecret)
  expect((await alone.until(({ id }) => id !== '')).all).toHaveLength(1)

  // The viewer's credentials end, and the editor becomes a viewer who may see all.
  const tokens = await readFile(paths.tokens, 'utf8')
  await writeFile(paths.access, '{"rules": []}')
  await writeFile(
    paths.tokens,
    tokens.replace(/^viewer:.*\n/m, '').replace('editor:editor', 'editor:viewer'),
  )
  const admin = service.rest.as(tokenOf('admin'))
  await expect
    .poll(() => statusOf(service.rest.url(), `Bearer ${tokenOf('viewer')}`), { timeout: 10_000 })
    .toBe(401)
  await admin.createUpload('late')
  expect(await viewer.next()).toBeNull()
  const mirror = new Mirror()
  await writer.until(() => mirror.images.has('late') && mirror.images.size === 3, mirror)
  expect(mirror.told[0]?.event).toBe('reset')
  expect(mirror.all).toEqual((await service.rest.as(tokenOf('editor')).list()).items)
  expect(mirror.images.get('open')?.status).not.toHaveProperty('uploadCommand')
})
