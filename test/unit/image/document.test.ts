import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Refusal } from '../../../src/errors.ts'
import { digestOf } from '../../../src/image/digest.ts'
import { readManifest } from '../../../src/image/document.ts'
import { manifestTypes, mediaTypes } from '../../../src/image/media-type.ts'

const [image, dockerImage] = manifestTypes.image
const [index, dockerIndex] = manifestTypes.index
const part = (text: string, mediaType: string, more: object = {}) => ({
  mediaType,
  digest: digestOf(Buffer.from(text)),
  size: text.length,
  ...more,
})
const config = part('{}', mediaTypes.config)
const layer = part('layer', mediaTypes.layer)
const bytes = (document: unknown) => Buffer.from(JSON.stringify(document))
const read = (document: unknown, type: string = image) => readManifest(bytes(document), type)
const anImage = { schemaVersion: 2, mediaType: image, config, layers: [layer] }
const anIndex = { schemaVersion: 2, mediaType: index, manifests: [part('a manifest', image)] }

describe('a manifest that is pushed', () => {
  test('needs its configuration and its layers', () => {
    expect(read(anImage)).toEqual({
      mediaType: image,
      needs: [config, layer].map(({ digest, size }) => ({ kind: 'blob', digest, size })),
      subject: null,
      artifactType: mediaTypes.config,
      annotations: null,
      warnings: [],
    })
  })

  test.each([
    ['without a mediaType', { ...anImage, mediaType: undefined }, image],
    ["of Docker's kind", { ...anImage, mediaType: dockerImage }, dockerImage],
    ['with a parameter in its Content-Type', anImage, `${image}; charset=utf-8`],
    ['without layers', { ...anImage, layers: [] }, image],
    ['with fields that nobody knows', { ...anImage, 'org.example': { deep: [1] } }, image],
    ['with an empty artifactType', { ...anImage, artifactType: '' }, image],
    ['which is an index', anIndex, index],
    ["which is Docker's list", { ...anIndex, mediaType: dockerIndex }, dockerIndex],
    ['which is an index of nothing', { ...anIndex, manifests: [] }, index],
  ])('is taken %s', (_how, document, type) => {
    expect(read(document, type).mediaType).toBe(type.split(';')[0])
  })

  test.each([
    ['of another type than its Content-Type', anImage, dockerImage],
    ['of a type that is none', anImage, 'application/json'],
    [
      "of Docker's first schema",
      { schemaVersion: 1 },
      'application/vnd.docker.distribution.manifest.v1+json',
    ],
    ['of schema version 1', { ...anImage, schemaVersion: 1 }, image],
    ['without a configuration', { ...anImage, config: undefined }, image],
    ['without a list of layers', { ...anImage, layers: undefined }, image],
    ['that is an index, too', { ...anImage, manifests: [] }, image],
    ['that is an image, too', { ...anIndex, layers: [] }, index],
    ['that is an image by its configuration, too', { ...anIndex, config }, index],
    [
      'with a digest in capitals',
      { ...anImage, layers: [{ ...layer, digest: layer.digest.toUpperCase() }] },
      image,
    ],
    [
      'with a digest of another kind',
      { ...anImage, layers: [{ ...layer, digest: `md5:${'0'.repeat(32)}` }] },
      image,
    ],
    ['with a size below zero', { ...anImage, layers: [{ ...layer, size: -1 }] }, image],
    [
      'with a size that is no whole number',
      { ...anImage, layers: [{ ...layer, size: 1.5 }] },
      image,
    ],
    ['with a size that is text', { ...anImage, layers: [{ ...layer, size: '5' }] }, image],
    ['with a layer of no type', { ...anImage, layers: [{ ...layer, mediaType: 'tar' }] }, image],
    ['with annotations that are no text', { ...anImage, annotations: { a: 1 } }, image],
    ['with a subject that is none', { ...anImage, subject: 'sha256:1' }, image],
    [
      'whose data is something else',
      { ...anImage, layers: [{ ...layer, data: 'bGF5ZXM=' }] },
      image,
    ],
    ['with a field that differs in its case alone', { ...anImage, Layers: [] }, image],
    [
      'with a media type of 300 characters',
      { ...anImage, artifactType: `a/b;${'c'.repeat(300)}` },
      image,
    ],
    ['that is a list', [], image],
    ['that is null', null, image],
  ])('is refused %s', (_how, document, type) => {
    expect(() => read(document, type)).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    )
  })

  test.each([
    ['no JSON', Buffer.from('{')],
    ['not in UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['with a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes(anImage)])],
    ['empty', Buffer.alloc(0)],
  ])('is refused when its bytes are %s', (_how, document) => {
    expect(() => readManifest(document, image)).toThrow(Refusal)
  })

  test('may hold the bytes of what it names', () => {
    const inside = { ...layer, data: Buffer.from('layer').toString('base64') }
    expect(read({ ...anImage, layers: [inside] }).needs).toHaveLength(2)
    const long = part('x', mediaTypes.layer, {
      digest: digestOf(Buffer.from('x'), 'sha512'),
      data: 'eA==',
    })
    expect(read({ ...anImage, layers: [long] }).needs[1]?.digest).toMatch(/^sha512:/)
  })

  test('does not need what lies elsewhere, and is warned of what is deprecated', () => {
    const foreign = part('far', 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip')
    const linked = part('away', mediaTypes.layer, { urls: ['https://example.com/away'] })
    const found = read({ ...anImage, layers: [foreign, linked, foreign] })
    expect(found.needs).toEqual([{ kind: 'blob', digest: config.digest, size: config.size }])
    expect(found.warnings).toEqual([`${foreign.mediaType} is deprecated`])
  })

  test('is warned of at most five things', () => {
    const foreign = (nth: number) =>
      part('far', `application/vnd.oci.image.layer.nondistributable.v1.tar+${nth}`)
    const layers = Array.from({ length: 300 }, (_, nth) => foreign(nth))
    expect(read({ ...anImage, layers }).warnings).toHaveLength(5)
  })

  test('needs the manifests of an index, and the blobs that build caches put there', () => {
    const cache = part('cache', mediaTypes.layer)
    const nested = part('nested', index)
    const found = read({ ...anIndex, manifests: [...anIndex.manifests, nested, cache] }, index)
    expect(found.needs.map(({ kind }) => kind)).toEqual(['manifest', 'manifest', 'blob'])
  })

  test('tells its subject, its artifact type and its annotations', () => {
    const subject = part('subject', image)
    const annotations = { 'org.example': 'yes' }
    const artifactType = 'application/spdx+json'
    const found = read({ ...anImage, artifactType, subject, annotations })
    expect(found).toMatchObject({ artifactType, annotations, subject: subject.digest })
    expect(read({ ...anIndex, subject }, index)).toMatchObject({ artifactType: '' })
  })

  test('of any content is read or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(image, index), (text, type) => {
        try {
          readManifest(Buffer.from(text), type)
        } catch (error) {
          expect(error).toMatchObject({ code: 'MANIFEST_INVALID' })
        }
      }),
    )
    fc.assert(
      fc.property(
        fc.record({
          config: fc.anything(),
          layers: fc.array(fc.anything()),
          annotations: fc.anything(),
          subject: fc.anything(),
        }),
        (fields) => {
          const document = bytes({
            schemaVersion: 2,
            ...JSON.parse(
              JSON.stringify(fields, (_, value: unknown) =>
                typeof value === 'bigint' ? String(value) : value,
              ),
            ),
          })
          expect(() => readManifest(document, image)).toThrow(Refusal)
        },
      ),
      { numRuns: 50 },
    )
  })
})
