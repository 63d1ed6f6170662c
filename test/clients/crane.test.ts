import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { canGuard, expectAccess, own } from '../support/clients-access.ts'
import {
  indexSchema,
  Layout,
  manifestSchema,
  tarball,
  types,
  type Descriptor,
} from '../support/clients-layout.ts'
import { startTap } from '../support/clients-tap.ts'
import { clientHome, hostOf, needsTool, said, tool, type Home } from '../support/clients.ts'
import { mebibyte } from '../support/disks.ts'
import { content } from '../support/http-neighbour.ts'
import { startService, type Service } from '../support/service.ts'
import type { Ended } from '../support/shell.ts'

const able = [needsTool('crane'), canGuard()].every(Boolean)

const configSchema = z.object({ config: z.object({ Labels: z.record(z.string(), z.string()) }) })

async function attempted(home: Home, ...args: readonly string[]): Promise<Ended> {
  return await home.attempt(tool('crane'), '--insecure', ...args)
}

describe.skipIf(!able)('crane', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  let home: Home
  let image: Descriptor
  const at = (name: string) => `${hostOf(service.base)}/${name}`

  beforeAll(async () => {
    home = resources.use(await clientHome())
    service = resources.use(await startService())
    const files = { 'etc/hostname': 'slipway\n', noise: content(2 * mebibyte) }
    await writeFile(home.at('layer.tar'), await tarball(files))
    const layout = await Layout.begin(home.at('layout'))
    image = await layout.image(files)
    await layout.finish({ 1: image })
  })
  afterAll(() => resources.disposeAsync())

  async function crane(...args: readonly string[]): Promise<string> {
    return (await home.run(tool('crane'), '--insecure', ...args)).trim()
  }

  async function lines(...args: readonly string[]): Promise<readonly string[]> {
    return (await crane(...args)).split('\n')
  }

  test('pushes a layout and finds the same image', async () => {
    await crane('push', 'layout', at('demo/pushed:1'))
    expect(await crane('digest', at('demo/pushed:1'))).toBe(image.digest)
    await crane('validate', '--remote', at('demo/pushed:1'))
    await crane('export', at('demo/pushed:1'), 'exported.tar')
    expect(await home.run('tar', '-tf', 'exported.tar')).toBe('etc/hostname\nnoise\n')
  })

  test.each([
    [types.manifest, ['--oci-empty-base']],
    [types.dockerManifest, []],
  ])('appends a layer as %s, and pulls the image', async (type, base) => {
    const reference = at(`demo/appended:${base.length}`)
    await crane('append', ...base, '-f', 'layer.tar', '-t', reference)
    await crane('validate', '--remote', reference)
    const manifest = manifestSchema.parse(JSON.parse(await crane('manifest', reference)))
    expect(manifest.mediaType).toBe(type)
    const again = at(`demo/again:${base.length}`)
    await crane('pull', '--format', 'oci', reference, `pulled-${base.length}`)
    await crane('push', `pulled-${base.length}`, again)
    expect(await crane('digest', again)).toBe(await crane('digest', reference))
    await crane('pull', reference, 'pulled.tar')
    await crane('push', 'pulled.tar', at('demo/tarball:1'))
    await crane('validate', '--remote', at('demo/tarball:1'))
  })

  test('copies into another repository and sends no byte of it', async () => {
    await crane('push', 'layout', at('demo/copied:1'))
    await using tap = await startTap(service.base)
    const [from, to] = ['demo/copied:1', 'other/copied:1'].map(
      (name) => `${hostOf(tap.base)}/${name}`,
    )
    await crane('cp', from ?? '', to ?? '')
    expect(await crane('digest', at('other/copied:1'))).toBe(image.digest)
    const uploads = tap.overheard.filter(({ path }) => path.includes('/blobs/uploads/'))
    expect(uploads.map(({ method, status }) => `${method} ${status}`)).toEqual([
      'POST 201',
      'POST 201',
    ])
  })

  test('pushes and deletes the same image in many places at once', async () => {
    const layout = await Layout.begin(home.at('busy'))
    const busy = await layout.image({ noise: content(4 * mebibyte, 0, 5) })
    await layout.finish({ 1: busy })
    const names = Array.from({ length: 8 }, (_, index) => at(`busy/${index % 3}:${index}`))
    await Promise.all(names.map((name) => crane('push', 'busy', name)))
    for (const name of names) expect(await crane('digest', name)).toBe(busy.digest)
    await Promise.all([
      crane('delete', at(`busy/0@${busy.digest}`)),
      crane('delete', at(`busy/1@${busy.digest}`)),
      crane('cp', at('busy/2:2'), at('busy/kept:1')),
      crane('push', 'busy', at('busy/new:1')),
    ])
    for (const name of ['2:2', 'kept:1', 'new:1']) {
      await crane('validate', '--remote', at(`busy/${name}`))
    }
  })

  test('makes an index, whose images are validated with it', async () => {
    await crane('push', 'layout', at('demo/index:1'))
    await crane('index', 'append', '-m', at('demo/index:1'), '-t', at('demo/index:all'))
    const index = indexSchema.parse(JSON.parse(await crane('manifest', at('demo/index:all'))))
    expect(index.manifests.map(({ digest }) => digest)).toEqual([image.digest])
    await crane('validate', '--remote', at('demo/index:all'))
    await crane('cp', at('demo/index:all'), at('other/index:all'))
    await crane('validate', '--remote', at('other/index:all'))
  })

  test('changes labels', async () => {
    await crane('push', 'layout', at('demo/mutated:1'))
    await crane('mutate', '--label', 'of=slipway', '-t', at('demo/mutated:2'), at('demo/mutated:1'))
    const config = configSchema.parse(JSON.parse(await crane('config', at('demo/mutated:2'))))
    expect(config.config.Labels).toEqual({ of: 'slipway' })
    await crane('validate', '--remote', at('demo/mutated:2'))
  })

  test('tags, lists and deletes', async () => {
    await crane('push', 'layout', at('demo/tags:b'))
    for (const tag of ['c', 'a', 'B']) await crane('tag', at('demo/tags:b'), tag)
    expect(await lines('ls', at('demo/tags'))).toEqual(['B', 'a', 'b', 'c'])
    await crane('copy', '--all-tags', at('demo/tags'), at('demo/all-tags'))
    expect(await lines('ls', at('demo/all-tags'))).toEqual(['B', 'a', 'b', 'c'])
    await crane('delete', at('demo/tags:a'))
    expect(await lines('ls', at('demo/tags'))).toEqual(['B', 'b', 'c'])
    await crane('delete', at(`demo/tags@${image.digest}`))
    const gone = await attempted(home, 'digest', at('demo/tags:b'))
    expect(gone).toEqual(expect.not.objectContaining({ code: 0 }))
  })

  test('lists the repositories', async () => {
    for (const name of ['listed/b', 'listed/a/deep']) {
      await crane('push', 'layout', at(`${name}:1`))
    }
    const all = await lines('catalog', hostOf(service.base))
    expect(all.filter((name) => name.startsWith('listed/'))).toEqual(['listed/a/deep', 'listed/b'])
  })

  test("shows the service's own words", async () => {
    const missing = await attempted(home, 'manifest', at('demo/pushed:missing'))
    expect(said(missing)).toContain(
      'MANIFEST_UNKNOWN: the repository "demo/pushed" has no "missing"',
    )
    const refused = await attempted(home, 'push', 'layout', at('cvi/x:1'))
    expect(said(refused)).toContain('DENIED: repositories under cvi/ are written by ingestion')
  })
})

describe.skipIf(!able)('credentials', () => {
  expectAccess(
    {
      name: 'crane',
      login: (home, host, { name, secret }) =>
        attempted(home, 'auth', 'login', '-u', name, '-p', secret, host),
      push: (home, to) => attempted(home, 'push', 'layout', to),
      pull: (home, from) => attempted(home, 'pull', '--format', 'oci', from, 'pulled'),
      copy: (home, from, to) => attempted(home, 'cp', from, to),
      denied: /DENIED: .*may not push/,
      ingested: /DENIED: repositories under cvi\/ are written by ingestion/,
    },
    async (home) => {
      const layout = await Layout.begin(home.at('layout'))
      await layout.finish({ 1: await layout.image(own) })
    },
  )
})
