import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Flaw } from '../../../src/errors.ts'
import type { Artifact } from '../../../src/pack/artifact.ts'
import { manifestBytes, readManifestFacts } from '../../../src/pack/manifest.ts'
import { anyArtifact, artifact } from './artifacts.ts'

const written = () => JSON.parse(manifestBytes(artifact).toString())
const reading = (manifest: unknown) => () =>
  readManifestFacts(Buffer.from(JSON.stringify(manifest)))

/** The written manifest with other annotations; undefined takes one away. */
const annotated = (changes: { readonly [name: string]: unknown }) => ({
  ...written(),
  annotations: { ...written().annotations, ...changes },
})

describe('manifestBytes', () => {
  test('writes an OCI image manifest with one layer', () => {
    const { annotations, ...manifest } = written()
    expect(manifest).toEqual({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...artifact.config },
      layers: [
        {
          mediaType: 'application/vnd.oci.image.layer.v1.tar',
          digest: artifact.layer,
          size: 4096 + 1536 + 1024,
        },
      ],
    })
    expect(annotations).toBeTypeOf('object')
  })

  test('writes every fact as an annotation', () => {
    expect(written().annotations).toEqual({
      'org.opencontainers.image.created': '2025-03-01T10:00:00.000Z',
      'dev.slipway.allocated-bytes': '851968000',
      'org.opencontainers.image.source': 'https://example.com/ubuntu.img.gz',
      'org.opencontainers.image.title': 'disk.qcow2',
      'dev.slipway.format': 'qcow2',
      'dev.slipway.disk.offset': '4096',
      'dev.slipway.disk.size': '1500',
      'dev.slipway.disk.sha256': artifact.disk.digest,
      'dev.slipway.virtual-size': '2361393152',
      'dev.slipway.bootable': 'yes',
      'dev.slipway.architecture': 'arm64',
      'dev.slipway.details': '{"version":3,"compression":"zstd","bitmaps":["daily"]}',
      'dev.slipway.source.bytes': '900',
      'dev.slipway.source.sha256': artifact.source.sha256,
      'dev.slipway.source.etag': '"5f2c"',
      'dev.slipway.source.last-modified': 'Sat, 01 Mar 2025 10:00:00 GMT',
    })
  })

  test('leaves out what is not known', () => {
    const upload: Artifact = {
      ...artifact,
      facts: { ...artifact.facts, architecture: null },
      source: { ...artifact.source, location: null, etag: null, lastModified: null },
    }
    const names = Object.keys(JSON.parse(manifestBytes(upload).toString()).annotations)
    expect(names).not.toContain('org.opencontainers.image.source')
    expect(names).not.toContain('dev.slipway.architecture')
    expect(names).not.toContain('dev.slipway.source.etag')
  })

  test('refuses a date that RFC 3339 cannot write', () => {
    const created = new Date(8.64e15)
    expect(() => manifestBytes({ ...artifact, created })).toThrow('Invalid ISO datetime')
  })
})

describe('readManifestFacts', () => {
  test('reads back every artifact that was written, from bytes that are always the same', () => {
    fc.assert(
      fc.property(anyArtifact, (any) => {
        const bytes = manifestBytes(any)
        expect(readManifestFacts(bytes)).toEqual(any)
        expect(manifestBytes(readManifestFacts(bytes)).equals(bytes)).toBe(true)
      }),
    )
  })

  test('ignores annotations of other tools', () => {
    expect(reading(annotated({ 'com.example.team': 'storage' }))()).toEqual(artifact)
  })

  test.each([
    ['a format nobody knows', annotated({ 'dev.slipway.format': 'qed' })],
    ['no format', annotated({ 'dev.slipway.format': undefined })],
    ['another offset', annotated({ 'dev.slipway.disk.offset': '512' })],
    ['a size in hex', annotated({ 'dev.slipway.disk.size': '0x5dc' })],
    ['a size beyond 2^53', annotated({ 'dev.slipway.virtual-size': '9007199254740993' })],
    ['a size that its layer does not have', annotated({ 'dev.slipway.disk.size': '1537' })],
    ['a digest that is none', annotated({ 'dev.slipway.disk.sha256': 'sha256:00' })],
    ['details that are no JSON', annotated({ 'dev.slipway.details': '{' })],
    ['details that are no object', annotated({ 'dev.slipway.details': '[1]' })],
    ['no date', annotated({ 'org.opencontainers.image.created': 'yesterday' })],
    ['two layers', { ...written(), layers: [...written().layers, ...written().layers] }],
    ['no layer', { ...written(), layers: [] }],
    ['no annotations', { ...written(), annotations: undefined }],
    ['another media type', { ...written(), mediaType: 'application/vnd.oci.image.index.v1+json' }],
  ])('refuses a manifest with %s', (_, manifest) => {
    expect(reading(manifest)).toThrow(Flaw)
    expect(reading(manifest)).toThrow(expect.objectContaining({ code: 'INVALID_OCI' }))
  })

  test('refuses any other bytes as a flaw', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
    )
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(() => readManifestFacts(bytes)).toThrow(Flaw)
      }),
    )
  })

  test('names the annotation that is wrong', () => {
    const manifest = annotated({ 'dev.slipway.disk.size': 'many' })
    expect(reading(manifest)).toThrow('annotations dev.slipway.disk.size: is no byte count')
  })
})
