import * as fc from 'fast-check'
import { type Digest, digestOf } from '../../../src/image/digest.ts'
import { type Detail, formats } from '../../../src/image/format.ts'
import type { Artifact } from '../../../src/pack/artifact.ts'
import { layerSize } from '../../../src/pack/tar-frame.ts'

/** An image as an import from a web server leaves it. */
export const artifact: Artifact = {
  config: { digest: digestOf(Buffer.from('config')), size: 321 },
  layer: digestOf(Buffer.from('layer')),
  disk: { digest: digestOf(Buffer.from('disk')), size: 1500 },
  facts: {
    format: 'qcow2',
    unpackedBytes: 2_361_393_152,
    allocatedBytes: 851_968_000,
    bootable: 'yes',
    architecture: 'arm64',
    details: { version: 3, compression: 'zstd', bitmaps: ['daily'] },
  },
  source: {
    bytes: 900,
    sha256: digestOf(Buffer.from('source')),
    location: 'https://example.com/ubuntu.img.gz',
    etag: '"5f2c"',
    lastModified: 'Sat, 01 Mar 2025 10:00:00 GMT',
    resolved: null,
  },
  created: new Date('2025-03-01T10:00:00Z'),
}

const anyDigest: fc.Arbitrary<Digest> = fc
  .tuple(fc.uint8Array(), fc.constantFrom('sha256', 'sha512'))
  .map(([bytes, algorithm]) => digestOf(bytes, algorithm))

const anySize = fc.maxSafeNat().filter((size) => Number.isSafeInteger(layerSize(size)))
const anyBlob = fc.record({ digest: anyDigest, size: anySize })
const anyText = fc.option(fc.string({ unit: 'binary' }))

/** JSON has one zero, and its `__proto__` is no name that an inspector gives. */
const anyName = fc.string().filter((name) => name !== '__proto__')
const { detail: anyDetail } = fc.letrec<{ detail: Detail }>((tie) => ({
  detail: fc.oneof(
    { maxDepth: 3 },
    fc.string(),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    fc.array(tie('detail'), { maxLength: 4 }),
    fc.dictionary(anyName, tie('detail'), { maxKeys: 4, noNullPrototype: true }),
  ),
}))

/** Any image that could be packed. */
export const anyArtifact: fc.Arbitrary<Artifact> = fc.record({
  config: anyBlob,
  layer: anyDigest,
  disk: anyBlob,
  facts: fc.record({
    format: fc.constantFrom(...formats),
    unpackedBytes: fc.maxSafeNat(),
    allocatedBytes: fc.option(fc.maxSafeNat()),
    bootable: fc.constantFrom('yes', 'no', 'unknown'),
    architecture: fc.constantFrom('amd64', 'arm64', 'arm', '386', 'riscv64', 'loong64', null),
    details: fc.dictionary(anyName, anyDetail, { maxKeys: 6, noNullPrototype: true }),
  }),
  source: fc.record({
    bytes: fc.maxSafeNat(),
    sha256: anyDigest,
    location: anyText,
    etag: anyText,
    lastModified: anyText,
    resolved: fc.option(anyDigest),
  }),
  created: fc.date({
    min: new Date('0000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  }),
})
