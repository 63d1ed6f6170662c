import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../../src/image/digest.ts'
import { mediaTypes } from '../../../../src/image/media-type.ts'
import { readDocument } from '../../../../src/source/registry/documents.ts'
import { readConfig } from '../../../../src/source/registry/image-config.ts'
import {
  config,
  dockerImage,
  dockerIndex,
  fetched,
  fetchedBytes,
  flawOf,
  image,
  index,
  layer,
  part,
} from './manifests.ts'

const anImage = { schemaVersion: 2, mediaType: image, config, layers: [layer] }
const entry = part('a manifest', image)
const anIndex = { schemaVersion: 2, mediaType: index, manifests: [entry] }
const unnamed = { mediaType: undefined }

const read = (document: unknown, mediaType?: string) => readDocument(fetched(document, mediaType))

describe('a manifest that a registry gave', () => {
  test('is an image of parts', () => {
    const named = { ...layer, annotations: { a: 'b' } }
    const more = { artifactType: 'application/vnd.example', annotations: { c: 'd' } }
    expect(read({ ...anImage, layers: [named, layer], ...more })).toEqual({
      kind: 'image',
      config: { ...config, annotations: {} },
      layers: [named, { ...layer, annotations: {} }],
      ...more,
    })
    expect(read({ ...anImage, artifactType: '' })).toMatchObject({ artifactType: null })
  })

  test('is an index of images', () => {
    const platform = { os: 'linux', architecture: 'arm64', variant: 'v8', 'os.version': '1' }
    expect(read({ ...anIndex, manifests: [{ ...entry, platform }, entry] }, index)).toEqual({
      kind: 'index',
      manifests: [
        {
          ...entry,
          annotations: {},
          platform: { os: 'linux', architecture: 'arm64', variant: null },
        },
        { ...entry, annotations: {}, platform: null },
      ],
    })
  })

  test.each([
    ['an image without a mediaType', { ...anImage, ...unnamed }, image, 'image'],
    ["an image of Docker's kind", { ...anImage, mediaType: dockerImage }, dockerImage, 'image'],
    ["an image of OCI's kind that a server calls Docker's", anImage, dockerImage, 'image'],
    ['an image that a server calls JSON', anImage, 'application/json', 'image'],
    ['an image that nobody calls anything', { ...anImage, ...unnamed }, '', 'image'],
    ['an image without layers', { ...anImage, layers: [] }, image, 'image'],
    ['an image of fields that nobody knows', { ...anImage, x: { y: [1] } }, image, 'image'],
    [
      'an image with sha512',
      { ...anImage, layers: [{ ...layer, digest: digestOf(Buffer.of(), 'sha512') }] },
      image,
      'image',
    ],
    [
      'an image with an empty list of urls',
      { ...anImage, layers: [{ ...layer, urls: [] }] },
      image,
      'image',
    ],
    [
      'an image that embeds its config',
      { ...anImage, config: { ...config, data: 'e30=' } },
      image,
      'image',
    ],
    ['an image of 9 999 layers', { ...anImage, layers: Array(9_999).fill(layer) }, image, 'image'],
    ['an index without a mediaType', { ...anIndex, ...unnamed }, index, 'index'],
    ["an index of Docker's kind", { ...anIndex, mediaType: dockerIndex }, dockerIndex, 'index'],
    ['an index that a server calls a file', anIndex, 'application/octet-stream', 'index'],
    ['an index that nobody calls anything', { ...anIndex, ...unnamed }, 'text/plain', 'index'],
    ['an index of nothing', { ...anIndex, manifests: [] }, index, 'index'],
    [
      'an index with an empty platform',
      { ...anIndex, manifests: [{ ...entry, platform: {} }] },
      index,
      'index',
    ],
    [
      'an index with a platform of null',
      { ...anIndex, manifests: [{ ...entry, platform: null }] },
      index,
      'index',
    ],
  ])('may be %s', (_what, document, mediaType, kind) => {
    expect(read(document, mediaType).kind).toBe(kind)
  })

  test.each([
    ['is an index, and its server says an image', anIndex, image, /its type is "application/],
    ['is an image, and its server says an index', anImage, index, /its type is "application/],
    ['is of a type that nobody knows', anImage, 'application/vnd.example+json', /vnd\.example/],
    ['says a type that nobody knows', { ...anImage, mediaType: 'x/y' }, image, /"x\/y"; taken are/],
    ['says a type that is a number', { ...anImage, mediaType: 1 }, image, / and 1; taken are/],
    ['is an index, too', { ...anImage, manifests: [] }, image, /an image has no manifests/],
    ['is an image, too', { ...anIndex, layers: [] }, index, /an index has no layers/],
    [
      'is both to whoever guesses',
      { ...anImage, ...unnamed, manifests: [] },
      '',
      /no config|no layers/,
    ],
    ['has no config', { ...anImage, config: undefined }, image, /config/],
    ['has no layers', { ...anImage, layers: undefined }, image, /layers/],
    ['has layers of null', { ...anImage, layers: null }, image, /layers/],
    ['has no manifests', { ...anIndex, manifests: undefined }, index, /manifests/],
    [
      'has a field in another case',
      { ...anImage, Layers: [] },
      image,
      /"Layers" is spelled "layers"/,
    ],
    [
      'has a digest in capitals',
      { ...anImage, config: { ...config, digest: config.digest.toUpperCase() } },
      image,
      /config\.digest: is no sha256/,
    ],
    [
      'has a digest of another kind',
      { ...anImage, layers: [{ ...layer, digest: `md5:${'0'.repeat(32)}` }] },
      image,
      /layers\.0\.digest: is no sha256/,
    ],
    [
      'has a size below zero',
      { ...anImage, layers: [{ ...layer, size: -1 }] },
      image,
      /layers\.0\.size/,
    ],
    [
      'has a size that no number holds',
      { ...anImage, layers: [{ ...layer, size: 2 ** 53 }] },
      image,
      /layers\.0\.size/,
    ],
    [
      'has a size that is text',
      { ...anImage, layers: [{ ...layer, size: '5' }] },
      image,
      /layers\.0\.size/,
    ],
    [
      'has a part of no type',
      { ...anImage, layers: [{ ...layer, mediaType: '' }] },
      image,
      /layers\.0\.mediaType/,
    ],
    [
      'embeds something else',
      { ...anImage, config: { ...config, data: 'W10=' } },
      image,
      /something else/,
    ],
    [
      'has 10 000 layers',
      { ...anImage, layers: Array(10_000).fill(layer) },
      image,
      /more than 10000 parts/,
    ],
    [
      'has a platform that is text',
      { ...anIndex, manifests: [{ ...entry, platform: 'linux/amd64' }] },
      index,
      /a platform's/,
    ],
    [
      'has a platform of a long name',
      { ...anIndex, manifests: [{ ...entry, platform: { os: 'x'.repeat(65) } }] },
      index,
      /a platform's os: is no name/,
    ],
    ['is a list', [], image, /not valid/],
    ['is null', null, image, /not valid/],
    ['is null, and called nothing', null, '', /not valid/],
  ])('is refused when it %s', (_how, document, mediaType, message) => {
    expect(flawOf(() => read(document, mediaType))).toMatch(message)
  })

  test.each([
    ['no JSON', Buffer.from('{')],
    ['not in UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['of a byte order mark and an image', Buffer.from(`\uFEFF${JSON.stringify(anImage)}`)],
    ['none', Buffer.alloc(0)],
  ])('is refused when its bytes are %s', (_how, bytes) => {
    expect(flawOf(() => readDocument(fetchedBytes(bytes)))).toMatch(/no JSON in UTF-8/)
  })

  test.each([
    ['by its type', { name: 'x' }, 'application/vnd.docker.distribution.manifest.v1+json'],
    ['by its type, signed', 'no JSON', 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
    ['by its version', { schemaVersion: 1, fsLayers: [] }, 'application/json'],
  ])("is refused when it is of Docker's first schema, %s", (_how, document, mediaType) => {
    expect(flawOf(() => read(document, mediaType))).toBe(
      'docker schema 1 manifests are not read; push the image again with a current client',
    )
  })

  test.each([
    ['has urls', { ...layer, urls: ['https://example.com/x'] }],
    [
      'may not be distributed',
      part('far', 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'),
    ],
    ['is foreign', part('far', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip')],
  ])('is refused when a layer %s', (_how, layer) => {
    const message = flawOf(() => read({ ...anImage, layers: [layer] }))
    expect(message).toContain(`the image's part ${layer.digest} lies elsewhere`)
  })

  test('of any content is read or refused as INVALID_OCI', () => {
    const types = fc.constantFrom(image, index, dockerIndex, '', 'application/json', 'x/y')
    const of = (platform: unknown) => ({ ...entry, platform })
    const fields = fc.record(
      {
        schemaVersion: fc.oneof(fc.constant(2), fc.jsonValue()),
        mediaType: fc.oneof(fc.constantFrom(image, index), fc.jsonValue()),
        config: fc.oneof(fc.constant(config), fc.jsonValue()),
        layers: fc.oneof(fc.array(fc.oneof(fc.constant(layer), fc.jsonValue())), fc.jsonValue()),
        manifests: fc.array(fc.jsonValue().map(of)),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fields), types, (document, mediaType) => {
        flawOf(() => read(document, mediaType))
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.uint8Array(), types, (bytes, mediaType) => {
        expect(
          flawOf(() => readDocument(fetchedBytes(Buffer.from(bytes), mediaType))),
        ).not.toBeNull()
      }),
    )
  })
})

describe("an image's configuration", () => {
  const bytes = (document: unknown) => Buffer.from(JSON.stringify(document))
  const diffIds = [digestOf(Buffer.from('one')), digestOf(Buffer.from('two'))]
  const rootfs = { type: 'layers', diff_ids: diffIds }
  const machine = { os: 'linux', architecture: 'arm', variant: 'v6' }

  test('tells the platform and the layers', () => {
    const history = [{ created_by: 'COPY' }]
    expect(readConfig(bytes({ ...machine, rootfs, history }))).toEqual({
      platform: machine,
      diffIds,
    })
  })

  test.each([
    ['is empty, as that of an artifact', {}],
    ['names no layers', { rootfs: { type: 'layers' } }],
    [
      'is by a program in Go',
      { os: '', architecture: '', rootfs: { type: 'layers', diff_ids: null } },
    ],
    ['says half of its platform', { os: 'linux', rootfs: null }],
  ])('tells nothing when it %s', (_how, document) => {
    expect(readConfig(bytes(document))).toEqual({ platform: null, diffIds: [] })
  })

  test.each([
    ['is a list', bytes([]), /expected object/],
    ['is null', bytes(null), /expected object/],
    ['is no JSON', Buffer.from('disk'), /no JSON/],
    ['has a number for a platform', bytes({ ...machine, os: 1 }), /os: /],
    [
      'has a diff id that is none',
      bytes({ rootfs: { diff_ids: ['x'] } }),
      /rootfs\.diff_ids\.0: is no/,
    ],
    ['has another kind of root', bytes({ rootfs: { type: 'x' } }), /rootfs\.type: is not "layers"/],
    ['has a root in another case', bytes({ Rootfs: {} }), /"Rootfs" is spelled "rootfs"/],
    ['has layers in another case', bytes({ rootfs: { Diff_IDs: [] } }), /is spelled "diff_ids"/],
    [
      'has 10 001 layers',
      bytes({ rootfs: { diff_ids: Array(10_001).fill(diffIds[0]) } }),
      /more than 10000/,
    ],
  ])('is refused when it %s', (_how, document, message) => {
    expect(flawOf(() => readConfig(document))).toMatch(message)
  })

  test('of any content is read or refused as INVALID_OCI', () => {
    const fields = fc.record(
      {
        os: fc.jsonValue(),
        architecture: fc.oneof(fc.string(), fc.jsonValue()),
        variant: fc.jsonValue(),
        rootfs: fc.oneof(fc.record({ diff_ids: fc.jsonValue() }), fc.jsonValue()),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fields), (document) => {
        flawOf(() => readConfig(bytes(document)))
      }),
      { numRuns: 300 },
    )
  })

  test('of the service itself is read', () => {
    const own = {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [diffIds[0]] },
    }
    expect(readConfig(bytes(own))).toEqual({
      platform: { os: 'linux', architecture: 'amd64', variant: null },
      diffIds: [diffIds[0]],
    })
    expect(mediaTypes.config).toBe(config.mediaType)
  })
})

describe('a small document that would make much work', () => {
  const many = (text: string) => `[${Array(1_300_000).fill(text).join(',')}]`

  test.each([
    ['layers', `{"schemaVersion":2,"config":{},"layers":${many('{}')}}`, /more than 100000 values/],
    ['manifests', `{"schemaVersion":2,"manifests":${many('{}')}}`, /more than 100000 values/],
    [
      'annotations',
      JSON.stringify({
        ...anImage,
        annotations: Object.fromEntries(Array.from({ length: 200_000 }, (_, nth) => [nth, 0])),
      }),
      /more than 100000 values/,
    ],
    [
      'layers that are sound',
      JSON.stringify({ ...anImage, layers: Array(10_001).fill(layer) }),
      /more than 10000 parts/,
    ],
  ])('is refused before it is looked at: %s', (_, text, message) => {
    const type = text.includes('manifests') ? index : image
    const found = flawOf(() => readDocument(fetchedBytes(Buffer.from(text), type)))
    expect(found).toMatch(message)
    expect(found?.length).toBeLessThan(200)
  })
})
