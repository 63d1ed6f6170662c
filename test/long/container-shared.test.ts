import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { layerHead, layerTail } from '../../src/pack/tar-frame.ts'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { manifestSchema } from '../support/clients-layout.ts'
import { startTap } from '../support/clients-tap.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { blobSizes, expectOnly } from '../support/leftovers.ts'
import { imageManifest } from '../support/push-content.ts'
import { RegistryClient, expectStatus, type Bytes } from '../support/registry-client.ts'
import { get, problemOf, readiness, send, type Rest } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const bytes = disk(3 * mebibyte)
const sha256 = digestOf(bytes).slice('sha256:'.length)

const host = ({ base }: { readonly base: string }) => new URL(base).host
const source = (image: string) => ({ type: 'ContainerImage', containerImage: { image } }) as const

async function take(rest: Rest, name: string, image: string) {
  await rest.create(name, source(image))
  return await rest.ready(name)
}

async function diskOf(rest: Rest, name: string): Promise<Buffer> {
  return Buffer.from(await (await get(rest.url(`/${name}/disk`))).arrayBuffer())
}

async function layerOf(service: Service, name: string): Promise<unknown> {
  const answer = await get(`${service.base}/v2/cvi/${name}/manifests/latest`)
  return manifestSchema.parse(await answer.json()).layers[0]?.digest
}

/** Layers that take more room than any manifest. */
async function layersIn({ folder }: Service): Promise<number> {
  return (await blobSizes(folder)).filter((size) => size > mebibyte).length
}

/** Pushes an image of one layer, as any client does. */
async function push(
  base: string,
  repository: string,
  layer: Bytes,
  { architecture = 'arm64', diffId = digestOf(layer) } = {},
): Promise<void> {
  const registry = new RegistryClient(() => base)
  const digest = await registry.push(repository, layer)
  const config: Bytes = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [diffId] },
    }),
  )
  const manifest = imageManifest(
    { digest: await registry.push(repository, config), size: config.length },
    [{ digest, size: layer.length }],
  )
  await expectStatus(await registry.putManifest(repository, { ...manifest, reference: '1' }), 201)
}

const packed = (content: Buffer, format: 'raw' | 'qcow2' = 'raw'): Bytes =>
  Buffer.concat([layerHead(format, content.length), content, layerTail(content.length)])

describe('a layer that is here already', () => {
  test('is used for another image of this service', async () => {
    await using service = await startService()
    const { rest } = service
    await send(await rest.createUpload('first'), bytes)
    const first = await rest.image('first')
    const second = await take(rest, 'second', `${host(service)}/cvi/first`)
    expect(second.status).toMatchObject({
      format: 'raw',
      size: first.status.size,
      source: {
        image: `${host(service)}/cvi/first:latest`,
        digest: first.status.target.digest,
        platform: 'linux/amd64',
        bytes: String(bytes.length),
        sha256,
      },
    })
    expect(await layerOf(service, 'second')).toBe(await layerOf(service, 'first'))
    expect(await layersIn(service)).toBe(1)
    await rest.delete('first')
    await expectOnly(service.folder, ['second'])
    expect((await diskOf(rest, 'second')).equals(bytes)).toBe(true)
  })

  test('is judged where it lies when it was pushed and never imported', async () => {
    await using service = await startService()
    const { rest } = service
    await push(service.base, 'team/disk', packed(bytes))
    const image = await take(rest, 'pushed', `${host(service)}/team/disk:1`)
    expect(image.status).toMatchObject({
      format: 'raw',
      details: { partitionTable: 'mbr' },
      source: { platform: 'linux/arm64', sha256, bytes: String(bytes.length) },
    })
    expect(await layersIn(service)).toBe(1)
    expect((await diskOf(rest, 'pushed')).equals(bytes)).toBe(true)
  })

  test('is refused as it would be refused anywhere', async () => {
    await using service = await startService()
    const { rest } = service
    const page = Buffer.alloc(mebibyte, '<!DOCTYPE html><html><body>log in</body></html>\n')
    await push(service.base, 'team/page', packed(page))
    await rest.create('page', source(`${host(service)}/team/page:1`))
    const failed = await rest.reaches('page', 'Failed')
    expect(readiness(failed).message).toMatch(/HTML/)
  })

  test('is refused when its configuration says another diff id', async () => {
    await using service = await startService()
    const { rest } = service
    const diffId = digestOf(bytes)
    await push(service.base, 'team/lie', packed(bytes), { diffId })
    await rest.create('lie', source(`${host(service)}/team/lie:1`))
    const failed = await rest.reaches('lie', 'Failed')
    expect(readiness(failed).message).toContain(`cannot have the diff id ${diffId}`)
  })

  test('keeps the architecture that it was made for', async () => {
    await using service = await startService()
    const { rest } = service
    await push(service.base, 'team/arm', packed(bytes), { architecture: 'aarch64' })
    const image = await take(rest, 'arm', `${host(service)}/team/arm:1`)
    expect(image.status.source?.platform).toBe('linux/arm64')
    const manifest = await get(`${service.base}/v2/cvi/arm/manifests/latest`)
    const { config } = manifestSchema.parse(await manifest.json())
    const blob = await get(`${service.base}/v2/cvi/arm/blobs/${config.digest}`)
    expect(await blob.json()).toMatchObject({ os: 'linux', architecture: 'arm64' })
  })

  test('is framed again when its name says another format than its bytes', async () => {
    await using service = await startService()
    const { rest } = service
    await push(service.base, 'team/odd', packed(bytes, 'qcow2'))
    const image = await take(rest, 'odd', `${host(service)}/team/odd:1`)
    expect(image.status.format).toBe('raw')
    expect(await layerOf(service, 'odd')).toBe(digestOf(packed(bytes)))
    expect((await diskOf(rest, 'odd')).equals(bytes)).toBe(true)
  })

  test('is not fetched again from another service that names it', async () => {
    await using there = await startService()
    await using here = await startService()
    await using tap = await startTap(there.base)
    await send(await there.rest.createUpload('theirs'), bytes)
    const image = `${host(tap)}/cvi/theirs`
    await take(here.rest, 'ours', image)
    const layer = await layerOf(there, 'theirs')
    expect(await layerOf(here, 'ours')).toBe(layer)
    const asked = () => tap.overheard.filter(({ path }) => path.endsWith(String(layer))).length
    expect(asked()).toBe(1)
    await take(here.rest, 'again', image)
    expect(asked()).toBe(1)
    expect(await layersIn(here)).toBe(1)
    expect((await diskOf(here.rest, 'again')).equals(bytes)).toBe(true)
  })
})

describe('where some may not read what others may', () => {
  async function guarded() {
    const stack = new AsyncDisposableStack()
    const folder = stack.use(await temporaryFolder())
    const { tokens, passwords, access } = await writeCallers(folder.path)
    const service = stack.use(
      await startService({
        SLIPWAY_TOKENS_FILE: tokens,
        SLIPWAY_HTPASSWD_FILE: passwords,
        SLIPWAY_ACCESS_FILE: access,
      }),
    )
    return { service, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  test('an image of this service is taken by those alone who may pull it', async () => {
    await using stage = await guarded()
    const { service } = stage
    const editor = service.rest.as(tokenOf('editor'))
    await send(await editor.createUpload('secret-disk'), bytes)
    const image = `${host(service)}/cvi/secret-disk`
    const outsider = service.rest.as(tokenOf('ci-a'))
    const answer = await outsider.post({ name: 'stolen', dataSource: source(image) })
    expect(answer.status).toBe(403)
    expect((await problemOf(answer)).code).toBe('DENIED')
    const looked = await fetch(`${service.base}/api/v1/probe`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${tokenOf('ci-a')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ dataSource: source(image) }),
    })
    expect(looked.status).toBe(403)
    await take(editor, 'mine', image)
  })

  test('an image is started again by those alone who may pull what it is made of', async () => {
    await using stage = await guarded()
    const { service } = stage
    const editor = service.rest.as(tokenOf('editor'))
    await send(await editor.createUpload('secret-disk'), bytes)
    await editor.create('open', source(`${host(service)}/cvi/secret-disk:missing`))
    await editor.reaches('open', 'Failed')
    const answer = await service.rest.as(tokenOf('ci-a')).post({}, '/open/retry')
    expect(answer.status).toBe(403)
    expect((await editor.retry('open')).status.phase).toBe('Pending')
  })

  test('a registry that names a layer has to give its bytes', async () => {
    await using stage = await guarded()
    const { service } = stage
    const editor = service.rest.as(tokenOf('editor'))
    await send(await editor.createUpload('secret-disk'), bytes)
    await using there = await startService()
    await using tap = await startTap(there.base)
    await send(await there.rest.createUpload('same'), bytes)
    await take(service.rest.as(tokenOf('ci-a')), 'fetched', `${host(tap)}/cvi/same`)
    const layer = digestOf(packed(bytes))
    expect(tap.overheard.filter(({ path }) => path.endsWith(layer))).toHaveLength(1)
  })

  test('credentials that are given are judged at the front door', async () => {
    await using stage = await guarded()
    const { service } = stage
    const editor = service.rest.as(tokenOf('editor'))
    await send(await editor.createUpload('secret-disk'), bytes)
    const containerImage = {
      image: `${host(service)}/cvi/secret-disk`,
      auth: { username: 'editor', password: tokenOf('editor') },
    }
    await service.rest
      .as(tokenOf('ci-a'))
      .create('lent', { type: 'ContainerImage', containerImage })
    await service.rest.as(tokenOf('ci-a')).ready('lent')
  })
})
