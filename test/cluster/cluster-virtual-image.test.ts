import { rename } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion, type Companion } from '../support/cluster/companion.ts'
import { layerOf, placeOf } from '../support/damage.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { get, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const bytes = disk(mebibyte)
const patience = { timeout: 40_000, interval: 50 }

const resourceSchema = z.object({
  metadata: z.object({ uid: z.string(), finalizers: z.array(z.string()).optional() }),
  status: z
    .looseObject({
      phase: z.string().optional(),
      sourceUID: z.string().optional(),
      conditions: z
        .array(z.looseObject({ type: z.string(), status: z.string(), message: z.string() }))
        .optional(),
    })
    .default({}),
})

const plural = 'clustervirtualimages.virtualization.deckhouse.io'
const statusSchema = z.looseObject({ properties: z.record(z.string(), z.looseObject({})) })
const wholeSchema = z.object({ properties: z.object({ status: statusSchema }) })
const versionSchema = z.object({ schema: z.object({ openAPIV3Schema: wholeSchema }) })
const crdSchema = z.object({ spec: z.object({ versions: z.tuple([versionSchema]) }) })

describe.skipIf(!needsCluster())('a ClusterVirtualImage', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let service: Service
  let neighbour: Neighbour
  let companion: Companion

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    neighbour = held.use(await startNeighbour())
    service = held.use(await startService())
    await cluster.applyCrds()
    // What was there before the companion.
    await apply('before', http('/before'))
    const options = { kubeconfig: cluster.kubeconfig, service: service.base }
    companion = held.use(await startCompanion(options))
  })
  afterAll(() => held.disposeAsync())

  function http(path: string, more: object = {}) {
    return { type: 'HTTP', http: { url: neighbour.serve(path, { bytes }), ...more } }
  }

  function refer(name: string) {
    return { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name } }
  }

  function manifest(name: string, dataSource: object): string {
    return JSON.stringify({
      apiVersion: 'virtualization.deckhouse.io/v1alpha2',
      kind: 'ClusterVirtualImage',
      metadata: { name },
      spec: { dataSource },
    })
  }

  async function apply(name: string, dataSource: object, ...args: readonly string[]) {
    await cluster.apply(manifest(name, dataSource), ...args)
  }

  async function read(name: string) {
    return resourceSchema.parse(await cluster.read('cvi', name))
  }

  async function reaches(name: string, phase: string): Promise<void> {
    const is = `--for=jsonpath={.status.phase}=${phase}`
    await cluster.kubectl('wait', is, `cvi/${name}`, '--timeout=40s')
  }

  async function messageOf(name: string, type = 'Ready'): Promise<string> {
    const { conditions = [] } = (await read(name)).status
    return conditions.find((condition) => condition.type === type)?.message ?? ''
  }

  async function isGone(name: string): Promise<boolean> {
    return (await cluster.kubectl('get', 'cvi', name, '--ignore-not-found')) === ''
  }

  async function eventsOf(name: string): Promise<readonly string[]> {
    const text = await cluster.kubectl(
      'get',
      'events',
      '-n=default',
      `--field-selector=involvedObject.kind=ClusterVirtualImage,involvedObject.name=${name}`,
      '-o=jsonpath={range .items[*]}{.reason} {end}',
    )
    return text.trim().split(' ').toSorted()
  }

  test('that was there before the companion becomes Ready, with all that the service says', async () => {
    await reaches('before', 'Ready')
    const { metadata, status } = await read('before')
    const image = await service.rest.image('before')
    expect(image.owner).toEqual({ uid: metadata.uid })
    expect(status).toEqual({ ...image.status, observedGeneration: 1 })
  })

  test('takes few requests, and is told in events', async () => {
    await apply('counted', http('/counted'))
    await reaches('counted', 'Ready')
    expect(await eventsOf('counted')).toEqual([
      'DataSourceImportCompleted',
      'DataSourceImportStarted',
    ])
    const requests = (await cluster.audit()).filter(({ agent }) => agent.startsWith('slipway/'))
    const about = requests.filter(({ name }) => name?.startsWith('counted'))
    expect(about.length).toBeLessThanOrEqual(6)
    const watches = requests.filter(({ verb }) => verb === 'watch')
    expect(watches.filter(({ resource }) => resource === 'clustervirtualimages').length).toBe(1)
    expect(await cluster.kubectl('describe', 'cvi', 'counted')).toMatch(
      /Normal +DataSourceImportCompleted.*slipway-controller/,
    )
  })

  test('fails with what is to be done', async () => {
    const url = neighbour.serve('/missing', { status: 404 })
    await apply('failing', { type: 'HTTP', http: { url } })
    await reaches('failing', 'Failed')
    expect(await messageOf('failing')).toMatch(/404 Not Found.*check the URL/)
    await expect.poll(() => eventsOf('failing'), patience).toContain('DataSourceImportFailed')
  })

  test('goes with its image, once the service is back', async () => {
    await apply('leaving', http('/leaving'))
    await reaches('leaving', 'Ready')
    const listen = new URL(service.base).host
    await service.kill()
    await cluster.kubectl('delete', 'cvi', 'leaving', '--wait=false')
    await expect
      .poll(() => messageOf('leaving'), patience)
      .toMatch(/cannot be deleted.*the image service cannot be reached/)
    expect((await read('leaving')).status.phase).toBe('Terminating')
    await service.start({ SLIPWAY_LISTEN: listen })
    await expect.poll(() => isGone('leaving'), patience).toBe(true)
    expect((await get(service.rest.url('/leaving'))).status).toBe(404)
  })

  test('takes its secret when that is there', async () => {
    const secretRef = { name: 'source', namespace: 'default' }
    await apply('secret', http('/secret', { secretRef }))
    await expect
      .poll(() => messageOf('secret', 'DatasourceReady'), patience)
      .toMatch(/there is no secret "source" in the namespace "default"; create it/)
    const literals = ['--from-literal=username=me', '--from-literal=password=hush']
    await cluster.kubectl('create', 'secret', 'generic', 'source', ...literals)
    await reaches('secret', 'Ready')
    const seen = neighbour.requests.find(({ path }) => path === '/secret')
    expect(seen?.headers.authorization).toBe(`Basic ${btoa('me:hush')}`)
  })

  test('is made of another one, and of that again', async () => {
    await apply('third', refer('second'))
    await apply('second', refer('first'))
    await expect
      .poll(() => messageOf('third'), patience)
      .toMatch(/"second" is Pending; this one waits until it is Ready/)
    await apply('first', { type: 'Upload' })
    await reaches('first', 'WaitForUserUpload')
    const url = (await service.rest.image('first')).status.imageUploadURLs?.external ?? ''
    await send(url, bytes)
    await reaches('third', 'Ready')
    expect((await read('third')).status.sourceUID).toBe((await read('second')).metadata.uid)
  })

  test.each(['with its finalizer', 'by force'])('is made anew %s', async (how) => {
    const name = how.replaceAll(' ', '-')
    await apply(name, http(`/${name}/1`))
    await reaches(name, 'Ready')
    if (how === 'by force') {
      await companion.stop()
      await cluster.kubectl('delete', 'cvi', name, '--wait=false')
      const patch = '{"metadata": {"finalizers": null}}'
      await cluster.kubectl('patch', 'cvi', name, '--type=merge', `--patch=${patch}`)
    } else {
      await cluster.kubectl('delete', 'cvi', name)
    }
    await apply(name, http(`/${name}/2`))
    if (how === 'by force') await companion.start()
    await reaches(name, 'Ready')
    const image = await service.rest.image(name)
    expect(image.owner?.uid).toBe((await read(name)).metadata.uid)
    expect(image.status.source?.url).toMatch(/\/2$/)
  })

  test('may have a name of 200 characters, and fields that nobody knows', async () => {
    const name = 'n'.repeat(200)
    const source = { ...http('/long', { later: true }), ofTomorrow: {} }
    await apply(name, source, '--validate=false')
    await reaches(name, 'Ready')
    await expect.poll(() => eventsOf(name), patience).toHaveLength(2)
    await cluster.kubectl('delete', 'cvi', name)
    expect((await get(service.rest.url(`/${name}`))).status).toBe(404)
  })

  test('is ImageLost while its bytes are away, and Ready once they are back, as events tell, too', async () => {
    const own = neighbour.serve('/lost', { bytes: disk(mebibyte, 7) })
    await apply('lost', { type: 'HTTP', http: { url: own } })
    await reaches('lost', 'Ready')
    const layer = await layerOf(service, 'lost')
    const place = placeOf(service, layer)
    await rename(place, `${place}-aside`)
    expect((await get(`${service.base}/v2/cvi/lost/blobs/${layer}`)).status).toBe(404)
    await reaches('lost', 'ImageLost')
    expect(await messageOf('lost')).toContain('is missing')
    await rename(`${place}-aside`, place)
    const scrub = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }
    expect((await fetch(`${service.base}/api/v1/storage/scrub`, scrub)).status).toBe(202)
    await reaches('lost', 'Ready')
    expect(await eventsOf('lost')).toEqual([
      'DataSourceImportCompleted',
      'DataSourceImportStarted',
      'ImageLost',
      'ImageRecovered',
    ])
  })

  test('is Ready under a definition that is older than the companion, which leaves out what it lacks', async () => {
    const all = await definition()
    const { bootable: _bootable, details: _details, ...others } = all.status.properties
    const { unpackedBytes: _bytes, ...sizes } = z.looseObject({}).parse(others['size']?.properties)
    const size = { ...others['size'], properties: sizes, required: [] }
    await declare({ ...all.status, properties: { ...others, size } })
    await apply('older', http('/older'))
    await reaches('older', 'Ready')
    const { status } = await read('older')
    expect(status).toMatchObject({ format: 'raw', size: { unpacked: '1Mi' } })
    expect(Object.keys(status)).not.toEqual(expect.arrayContaining(['bootable']))
    expect(companion.logs.toString()).toContain('is older than this program')
    await declare(all.status)
    await companion.stop()
    await companion.start()
    await expect
      .poll(() => read('older'), patience)
      .toMatchObject({
        status: { bootable: expect.any(String), size: { unpackedBytes: String(mebibyte) } },
      })
  })

  async function definition() {
    const crd = crdSchema.parse(await cluster.read('crd', plural))
    return crd.spec.versions[0].schema.openAPIV3Schema.properties
  }

  async function declare(status: object): Promise<void> {
    const path = '/spec/versions/0/schema/openAPIV3Schema/properties/status'
    const patch = JSON.stringify([{ op: 'replace', path, value: status }])
    await cluster.kubectl('patch', 'crd', plural, '--type=json', `--patch=${patch}`)
  }
})
