import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { clusterVirtualImageStatus } from '../../src/image/cluster-virtual-image.ts'
import { clusterVirtualImage } from '../../src/sync/crd/cluster-virtual-image.ts'
import { definition } from '../../src/sync/crd/definition.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { attempt } from '../support/shell.ts'

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const able = needsCluster()
let cluster: Cluster

/** The API server takes a changed definition into use in its own time; in milliseconds. */
const adoption = { timeout: 30_000, interval: 50 }

beforeAll(async () => {
  if (!able) return
  cluster = await startCluster()
  await cluster.applyCrds()
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

const manifest = (name: string, dataSource: object) =>
  JSON.stringify({
    apiVersion: 'virtualization.deckhouse.io/v1alpha2',
    kind: 'ClusterVirtualImage',
    metadata: { name },
    spec: { dataSource },
  })

/** What kubectl says of it; nothing is kept. Empty when it would be created. */
async function objection(name: string, dataSource: object): Promise<string> {
  const args = ['create', '--dry-run=server', '-f', '-']
  const { code, stderr } = await cluster.attemptKubectl(args, { input: manifest(name, dataSource) })
  return code === 0 ? '' : stderr.trimEnd()
}

async function create(name: string, dataSource: object): Promise<void> {
  await cluster.apply(manifest(name, dataSource))
}

async function patch(name: string, body: object, ...args: readonly string[]) {
  const change = ['--type=merge', `--patch=${JSON.stringify(body)}`, ...args]
  return await cluster.attemptKubectl(['patch', 'cvi', name, ...change])
}

const a = (length: number) => 'a'.repeat(length)
const base64 = (text: string) => Buffer.from(text).toString('base64')
const certificate = '-----BEGIN CERTIFICATE-----'

const upload = { type: 'Upload' }
const httpOf = (section: object = {}) => ({ type: 'HTTP', http: { url: 'http://x', ...section } })
const imageOf = (section: object = {}) => ({
  type: 'ContainerImage',
  containerImage: { image: 'x', ...section },
})
const refTo = (name: string, section: object = {}) => ({
  type: 'ObjectRef',
  objectRef: { kind: 'ClusterVirtualImage', name, ...section },
})

const { http } = httpOf()
const { containerImage } = imageOf()
const { objectRef } = refTo('y')

const onHttp = 'HTTP requires http and cannot have ContainerImage, ObjectRef or Upload.'
const onImage = 'ContainerImage requires containerImage and cannot have HTTP, ObjectRef or Upload.'
const onRef = 'ObjectRef requires objectRef and cannot have HTTP, ContainerImage or Upload.'
const onUpload = 'Upload cannot have HTTP, ContainerImage or ObjectRef.'
const onEdit = 'ClusterVirtualImage spec cannot be changed; delete it and create it again.'
const onReference = 'image must be a reference such as registry.example.com/team/image:tag.'
const onCertificates = 'caBundle must be base64 of a PEM chain.'
const onRefName = 'name must be the one of a ClusterVirtualImage: 1 to 200 of a-z, 0-9 and hyphens.'

describe.skipIf(!able)('the definition of ClusterVirtualImage', () => {
  test('is printed by slipway crds, and taken without a warning, again and again', async () => {
    const { stdout, code } = await attempt(process.execPath, [program, 'crds'], {
      env: process.env,
      limit: 20_000,
    })
    expect(code).toBe(0)
    const args = ['apply', '--server-side', '--warnings-as-errors', '-f', '-']
    const applied = await cluster.attemptKubectl(args, { input: stdout })
    expect(applied).toMatchObject({ code: 0, stderr: '' })
    const [crd] = stdout.match(/\S+\.virtualization\.deckhouse\.io/) ?? []
    const status = await cluster.read('crd', crd ?? '')
    const conditions = expect.arrayContaining([
      expect.objectContaining({ type: 'Established', status: 'True' }),
    ])
    expect(status).toMatchObject({ status: { conditions } })
    expect(JSON.stringify(status)).not.toContain('NonStructuralSchema')
  })

  test.each([
    ['HTTP without http', { type: 'HTTP' }, onHttp],
    ['HTTP with containerImage', { ...httpOf(), containerImage }, onHttp],
    ['HTTP with objectRef', { ...httpOf(), objectRef }, onHttp],
    ['HTTP with upload', { ...httpOf(), upload: {} }, onHttp],
    ['ContainerImage without containerImage', { type: 'ContainerImage' }, onImage],
    ['ContainerImage with http', { ...imageOf(), http }, onImage],
    ['ContainerImage with objectRef', { ...imageOf(), objectRef }, onImage],
    ['ContainerImage with upload', { ...imageOf(), upload: {} }, onImage],
    ['ObjectRef without objectRef', { type: 'ObjectRef' }, onRef],
    ['ObjectRef with http', { ...refTo('y'), http }, onRef],
    ['ObjectRef with containerImage', { ...refTo('y'), containerImage }, onRef],
    ['ObjectRef with upload', { ...refTo('y'), upload: {} }, onRef],
    ['Upload with http', { ...upload, http }, onUpload],
    ['Upload with containerImage', { ...upload, containerImage }, onUpload],
    ['Upload with objectRef', { ...upload, objectRef }, onUpload],
    ['an image that is no reference', imageOf({ image: 'Team/UPPER' }), onReference],
    ['an image with a scheme', imageOf({ image: 'https://r.example.com/a' }), onReference],
    ['certificates that are none', httpOf({ caBundle: base64('hello') }), onCertificates],
    ['certificates of a registry', imageOf({ caBundle: base64('hello') }), onCertificates],
    ['a reference to a name with a dot', refTo('y.z'), onRefName],
    ['a reference to a name that is too long', refTo(a(201)), onRefName],
    ['a reference to itself', refTo('x'), 'A ClusterVirtualImage cannot be made of itself.'],
  ])('refuses %s, with this message', async (_, dataSource, message) => {
    const told = await objection('x', dataSource)
    expect(told).toMatch(/^The ClusterVirtualImage "x" is invalid: spec\.dataSource\S*: /)
    expect(told.endsWith(`: ${message}`), told).toBe(true)
    expect(told.split('\n')).toHaveLength(1)
  })

  test.each([
    ['with a dot', 'x.y', `the ClusterVirtualImage name "x.y" is invalid: '.' is forbidden`],
    [
      'of 201 characters',
      a(201),
      `the ClusterVirtualImage name "${a(201)}" is invalid: it must be no longer than 200 characters`,
    ],
  ])('refuses a name %s, with this message', async (_, name, message) => {
    const told = await objection(name, upload)
    expect(told.endsWith(`: ${message}`), told).toBe(true)
  })

  test.each([
    ['a name of 200 characters', a(200), upload],
    ['a name of one', 'x', upload],
    ['an upload with a checksum', 'x', { ...upload, upload: { checksum: { md5: a(32) } } }],
    ['a URL of 8192 characters', 'x', httpOf({ url: `http://x/${a(8183)}` })],
    ['certificates of 256 KiB', 'x', httpOf({ caBundle: base64(certificate + a(196_581)) })],
    ['an image of 1024 characters', 'x', imageOf({ image: `${`${a(9)}/`.repeat(102)}${a(4)}` })],
    ['a platform of 100 characters', 'x', imageOf({ platform: `linux/${a(94)}` })],
    ['a name of 200 characters to refer to', 'x', refTo(a(200))],
    ['another kind by a name of 253', 'x', refTo(`a.${a(251)}`, { kind: 'VirtualDisk' })],
    ['a secret', 'x', httpOf({ secretRef: { name: a(253), namespace: a(63) } })],
    ['a pull secret', 'x', imageOf({ imagePullSecret: { name: a(253), namespace: a(63) } })],
  ])('takes %s', async (_, name, dataSource) => {
    expect(await objection(name, dataSource)).toBe('')
  })

  const tooLong = (length: number) => `may not be more than ${length}`
  test.each([
    ['a URL', httpOf({ url: `http://x/${a(8184)}` }), tooLong(8192)],
    ['certificates', httpOf({ caBundle: base64(certificate + a(196_582)) }), tooLong(262_144)],
    ['an image', imageOf({ image: a(1025) }), tooLong(1024)],
    ['a platform', imageOf({ platform: `linux/${a(95)}` }), tooLong(100)],
    ['a checksum', httpOf({ checksum: { md5: a(33) } }), tooLong(32)],
    ['a checksum in SHA-1', httpOf({ checksum: { sha1: a(41) } }), tooLong(40)],
    ['a checksum in SHA-256', httpOf({ checksum: { sha256: a(65) } }), tooLong(64)],
    ['a checksum in SHA-512', httpOf({ checksum: { sha512: a(129) } }), tooLong(128)],
    ['a name', refTo(a(254), { kind: 'VirtualDisk' }), tooLong(253)],
    ["a secret's name", httpOf({ secretRef: { name: a(254), namespace: 'x' } }), tooLong(253)],
    ["a secret's namespace", httpOf({ secretRef: { name: 'x', namespace: a(64) } }), tooLong(63)],
  ])('refuses %s that is too long', async (_, dataSource, message) => {
    expect(await objection('x', dataSource)).toContain(message)
  })

  test.each([
    ['no type', {}, 'spec.dataSource.type: Required value'],
    ['a type that is none', { type: 'Tape' }, 'supported values: "HTTP", "ContainerImage"'],
    ['no URL', { type: 'HTTP', http: {} }, 'spec.dataSource.http.url: Required value'],
    ['another scheme', httpOf({ url: 'ftp://x/y' }), String.raw`should match '^https?://\S+$'`],
    ['no hex', httpOf({ checksum: { md5: `${a(31)}g` } }), "should match '^[0-9a-fA-F]{32}$'"],
    ['a short checksum', httpOf({ checksum: { sha256: a(63) } }), "match '^[0-9a-fA-F]{64}$'"],
    ['no base64', httpOf({ caBundle: certificate }), 'must be of type byte'],
    ['no platform', imageOf({ platform: 'amd64' }), 'should match'],
    ['a kind that is none', refTo('y', { kind: 'Secret' }), 'supported values: "ClusterVirtualI'],
    ['no namespace', httpOf({ secretRef: { name: 'x' } }), 'secretRef.namespace: Required value'],
  ])('refuses %s', async (_, dataSource, message) => {
    expect(await objection('x', dataSource)).toContain(message)
  })
})

describe.skipIf(!able)('a ClusterVirtualImage', () => {
  test('keeps its spec, whatever it is, and lets labels and finalizers change', async () => {
    // In bytes beyond ASCII base64 has `+` and `/`.
    const caBundle = base64(`ÿþ?~>${certificate}${a(196_000)}`)
    expect(caBundle).toMatch(/[+/]/)
    await create('immutable', httpOf({ caBundle, checksum: { md5: a(32) } }))
    const edits = [
      { url: 'http://y' },
      { caBundle: base64(`?${certificate}`) },
      { checksum: null },
      { insecureSkipTLSVerify: false },
    ]
    for (const http of edits) {
      const { code, stderr } = await patch('immutable', { spec: { dataSource: { http } } })
      expect(code).toBe(1)
      expect(stderr.trimEnd().endsWith(`: ${onEdit}`), stderr).toBe(true)
    }
    const finalizers = ['virtualization.deckhouse.io/cvi-cleanup']
    expect(await patch('immutable', { metadata: { finalizers } })).toMatchObject({ code: 0 })
    expect(await patch('immutable', { metadata: { labels: { x: 'y' } } })).toMatchObject({
      code: 0,
    })
    expect(await patch('immutable', { metadata: { finalizers: [] } })).toMatchObject({ code: 0 })
    await cluster.kubectl('delete', 'cvi', 'immutable')
  })

  test('refers to its own kind unless it says another', async () => {
    await create('defaulted', { type: 'ObjectRef', objectRef: { name: 'y' } })
    const read = await cluster.read('clustervirtualimage', 'defaulted')
    expect(read).toMatchObject({ spec: { dataSource: refTo('y') } })
    await create('defaulted', { type: 'ObjectRef', objectRef: { name: 'y' } })
    await create('defaulted', refTo('y'))
  })

  test('loses fields that are unknown, unless its maker asks to be told', async () => {
    const dataSource = httpOf({ auth: { bearer: 'x' }, mirror: 'http://y' })
    const told = await objection('unknown', dataSource)
    expect(told).toContain('unknown field "spec.dataSource.http.auth"')
    expect(told).toContain('unknown field "spec.dataSource.http.mirror"')
    await cluster.apply(manifest('unknown', dataSource), '--validate=false')
    const read = await cluster.read('cvi', 'unknown')
    expect(read).toHaveProperty('spec', { dataSource: httpOf() })
  })

  const condition = (type: string) => ({
    type,
    status: 'True',
    reason: 'Ready',
    message: '',
    lastTransitionTime: '2026-01-02T03:04:05.678Z',
    observedGeneration: 1,
  })

  /** Every field that there is. */
  const status = {
    phase: 'Ready',
    progress: '100%',
    receivedBytes: '1',
    downloadSpeed: { avg: '1Mi/s', avgBytes: '1', current: '1Mi/s', currentBytes: '1' },
    remaining: '1m20s',
    remainingSeconds: 80,
    format: 'qcow2',
    cdrom: false,
    bootable: 'yes',
    architecture: 'amd64',
    size: { stored: '285.9Mi', storedBytes: '1', unpacked: '2.2Gi', unpackedBytes: '2' },
    allocatedBytes: '1',
    target: { registryURL: 'dvcr.d8-virtualization.svc/cvi/ubuntu-img', digest: 'sha256:0' },
    uploadCommand: 'curl x',
    imageUploadURLs: { external: 'x', inCluster: 'y' },
    upload: { offset: '1', length: '2', expiresAt: 'x', resumeCommand: 'curl -C 1 x' },
    source: {
      url: 'http://x',
      etag: '"x"',
      lastModified: 'x',
      image: 'x',
      digest: 'sha256:0',
      platform: 'linux/amd64',
      bytes: '1',
      sha256: '0',
    },
    details: { version: 3, partitions: [{ type: 'efi', bytes: 1 }], flags: { lazy: true } },
    retries: 1,
    nextRetryAt: 'x',
    conditions: [condition('DatasourceReady'), condition('Ready')],
    sourceUID: 'x',
    observedGeneration: 1,
  }

  test('is shown as in the guide', async () => {
    for (const name of ['ubuntu-img', 'ubuntu-2204']) {
      await create(name, httpOf())
      const registryURL = `dvcr.d8-virtualization.svc/cvi/${name}`
      const shown = { ...status, target: { registryURL } }
      expect(await patch(name, { status: shown }, '--subresource=status')).toMatchObject({
        code: 0,
      })
    }
    const names = ['ubuntu-img', 'ubuntu-2204']
    const wide = await cluster.kubectl('get', 'clustervirtualimage', ...names, '-o', 'wide')
    const [header, row] = wide.split('\n')
    expect(header).toBe(
      'NAME          PHASE   CDROM   PROGRESS   STOREDSIZE   UNPACKEDSIZE   REGISTRY URL                                 AGE',
    )
    expect(row).toMatch(
      /^ubuntu-img {4}Ready {3}false {3}100% {7}285\.9Mi {6}2\.2Gi {10}dvcr\.d8-virtualization\.svc\/cvi\/ubuntu-img {4}\d+s$/,
    )
    const short = await cluster.kubectl('get', 'cvi', 'ubuntu-img')
    expect(short).toMatch(
      /^NAME +PHASE +CDROM +PROGRESS +AGE\nubuntu-img +Ready +false +100% +\d+s\n$/,
    )
    expect(await cluster.kubectl('get', 'virtualization')).toContain('ubuntu-img')
  })

  test('has a status that is written by itself, and keeps all of it', async () => {
    expect(Object.keys(status).sort()).toEqual(Object.keys(clusterVirtualImageStatus.shape).sort())
    await create('status', upload)
    const written = { ...status, strange: true }
    const body = { status: written, spec: { dataSource: httpOf() } }
    expect(await patch('status', body, '--subresource=status')).toMatchObject({ code: 0 })
    expect(await cluster.read('cvi', 'status')).toMatchObject({ spec: { dataSource: upload } })
    expect(await patch('status', { status: { phase: 'Failed' } })).toMatchObject({ code: 0 })
    expect(await cluster.read('cvi', 'status')).toHaveProperty('status', status)
  })

  test('takes a word in its status that it does not know, and no endless text', async () => {
    await create('words', upload)
    const write = async (status: object) => await patch('words', { status }, '--subresource=status')
    expect(await write({ phase: 'Archived', format: 'vmdk9' })).toMatchObject({ code: 0 })
    const message = (length: number) => ({
      conditions: [{ ...condition('Ready'), message: a(length) }],
    })
    expect(await write(message(32_768))).toMatchObject({ code: 0 })
    const refused = await write(message(32_769))
    expect(refused.stderr).toContain('conditions[0].message: Too long: may not be more than 32768')
  })

  test('has conditions of several writers, one of each type', async () => {
    await create('conditions', upload)
    const apply = async (manager: string, ...types: readonly string[]) => {
      const status = { phase: 'Pending', conditions: types.map(condition) }
      const input = JSON.stringify({ ...JSON.parse(manifest('conditions', upload)), status })
      const how = ['--server-side', '--subresource=status', `--field-manager=${manager}`]
      return await cluster.apply(input, ...how, '--force-conflicts')
    }
    const types = async () => {
      const path = '-o=jsonpath={.status.conditions[*].type}'
      return (await cluster.kubectl('get', 'cvi', 'conditions', path)).split(' ').sort()
    }
    await apply('slipway', 'Ready', 'DatasourceReady')
    await apply('another', 'Audited')
    expect(await types()).toEqual(['Audited', 'DatasourceReady', 'Ready'])
    await apply('slipway', 'Ready')
    expect(await types()).toEqual(['Audited', 'Ready'])
    await expect(apply('slipway', 'Ready', 'Ready')).rejects.toThrow(/duplicate/i)
  })
})

/** Without rules and patterns, as an earlier definition might be. */
function loose(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(loose)
  if (typeof value !== 'object' || value === null) return value
  const strict = new Set(['x-kubernetes-validations', 'pattern', 'allOf'])
  const kept = Object.entries(value).filter(([key]) => !strict.has(key))
  return Object.fromEntries(kept.map(([key, inner]) => [key, loose(inner)]))
}

describe.skipIf(!able)('an upgrade of the definition', () => {
  const given = definition(clusterVirtualImage)
  const apply = async (crd: unknown) =>
    await cluster.apply(JSON.stringify(crd), '--server-side', '--force-conflicts')

  test('locks nothing that was stored before its rules', async () => {
    await apply(loose(given))
    await vi.waitFor(async () => expect(await objection('x.y', upload)).toBe(''), adoption)
    const stored = {
      'with.dot': upload,
      itself: refTo('itself'),
      sections: { ...httpOf(), containerImage },
      reference: imageOf({ image: 'UPPER', platform: '?' }),
      certificates: httpOf({ caBundle: 'no base64' }),
    }
    for (const [name, dataSource] of Object.entries(stored)) await create(name, dataSource)
    await apply(given)
    await vi.waitFor(async () => expect(await objection('x.y', upload)).not.toBe(''), adoption)
    for (const name of Object.keys(stored)) {
      const finalizers = ['virtualization.deckhouse.io/cvi-cleanup']
      const status = { phase: 'Failed' }
      expect(await patch(name, { metadata: { finalizers } })).toMatchObject({ code: 0 })
      expect(await patch(name, { status }, '--subresource=status')).toMatchObject({ code: 0 })
      const edited = await patch(name, { spec: { dataSource: { type: 'Upload', upload: {} } } })
      expect(edited.stderr).toContain(onEdit)
      expect(await patch(name, { metadata: { finalizers: [] } })).toMatchObject({ code: 0 })
      await cluster.kubectl('delete', 'cvi', name)
    }
  })

  test('may bring a default for the spec, which is no change of it', async () => {
    await create('before', imageOf())
    const text = JSON.stringify(given)
    const platform = '"platform":{"type":"string"'
    expect(text).toContain(platform)
    await apply(JSON.parse(text.replace(platform, `${platform},"default":"linux/amd64"`)))
    const dataSource = imageOf({ platform: 'linux/amd64' })
    await vi.waitFor(
      async () =>
        expect(await cluster.read('cvi', 'before')).toMatchObject({ spec: { dataSource } }),
      adoption,
    )
    expect(await patch('before', { metadata: { labels: { x: 'y' } } })).toMatchObject({ code: 0 })
    await create('before', imageOf())
    const other = { containerImage: { platform: 'linux/arm64' } }
    const { stderr } = await patch('before', { spec: { dataSource: other } })
    expect(stderr).toContain(onEdit)
  })
})
