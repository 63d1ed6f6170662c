import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mediaTypes } from '../../../../src/image/media-type.ts'
import { diskArtifact } from '../../../../src/source/registry/artifact.ts'
import { readDocument, type ImageDocument } from '../../../../src/source/registry/documents.ts'
import { fetched, flawOf, part } from './manifests.ts'

const docker = 'application/vnd.docker.container.image.v1+json'
const empty = 'application/vnd.oci.empty.v1+json'
const tar = mediaTypes.layer
const any = 'application/octet-stream'
const disk = 'application/x-qemu-disk'
const title = 'org.opencontainers.image.title'

/** `disk.qcow2:application/x-qemu-disk`, `:text/plain`, as oras would push it; with `/` at the end, a folder. */
function layer(text: string, nth = 0) {
  const [name = '', mediaType = ''] = text.split(':')
  const folder = name.endsWith('/') && { 'io.deis.oras.content.unpack': 'true' }
  const annotations = name ? { [title]: name, ...folder } : {}
  return part(`${nth}`.padStart(9, '0'), mediaType, { annotations })
}

function imageOf(layers: readonly string[], config = empty, artifactType = ''): ImageDocument {
  const document = { schemaVersion: 2, artifactType, config: part('{}', config) }
  const read = readDocument(fetched({ ...document, layers: layers.map(layer) }))
  if (read.kind === 'image') return read
  throw new Error('an image was read as an index')
}

describe('a container image', () => {
  test.each([
    ['of OCI', mediaTypes.config, [`:${tar}`, `:${tar}+gzip`, `:${tar}+zstd`]],
    [
      "of Docker's",
      docker,
      ['', '.gzip', '.zstd'].map((end) => `:application/vnd.docker.image.rootfs.diff.tar${end}`),
    ],
    ['whose layer has a title', mediaTypes.config, [`disk.qcow2:${tar}`]],
    ['whose configuration is none', empty, [`:${tar}+gzip`, `:${tar}`]],
    ['that oras packed from a folder', empty, [`disk/:${tar}+gzip`]],
  ])('%s has its disk in its layers', (_which, config, layers) => {
    expect(diskArtifact(imageOf(layers, config))).toEqual({ kind: 'layers' })
  })
})

describe('an artifact', () => {
  test.each([
    ...[disk, any, 'application/vnd.kubevirt.disk.raw', 'application/vnd.example.diskimage.v1']
      .flatMap((type) => [type, `${type}+gzip`, `${type}+zstd`])
      .flatMap((type) => [`:${type}`, `x:${type}`]),
    ...['qcow2', 'img', 'raw', 'iso', 'vmdk', 'vdi', 'vhd', 'vhdx', 'IMG', 'raw.gz', 'img.xz'].map(
      (end) => `x.${end}:application/x-example`,
    ),
    'podman-machine.x86_64.qemu.qcow2.zst:application/zstd',
    'x.iso.bz2:application/x-bzip2',
  ])('%s is the disk', (text) => {
    for (const config of [empty, mediaTypes.config, 'application/vnd.unknown.config.v1+json']) {
      expect(diskArtifact(imageOf([text], config))).toEqual({
        kind: 'blob',
        part: layer(text),
        title: text.split(':')[0] || null,
      })
    }
  })

  test.each([
    `disk.qcow2:${tar}`,
    `ubuntu:${tar}`,
    `layer.tar.gz:${tar}+gzip`,
    ':application/vnd.example.disk.v1.tar+gzip',
  ])('%s is the disk or a tar, which its bytes tell', (text) => {
    expect(diskArtifact(imageOf([text]))).toEqual({
      kind: 'by bytes',
      part: layer(text),
      title: text.split(':')[0] || null,
    })
  })

  test.each([
    ['by its type', ['README.md:text/plain', `ubuntu:${disk}`], 1, 'blob'],
    ['by its name', [`disk.qcow2:${any}`, `SHA256SUMS:${any}`], 0, 'blob'],
    ['by its name, beside a tar', [`docs/:${tar}+gzip`, `disk.img.zst:${any}`], 1, 'blob'],
    ['by its name, called a tar', [`disk.qcow2:${tar}`, `README.md:${tar}`], 0, 'by bytes'],
    [
      'by a type that says nothing, beside one that says more',
      [`ubuntu:${any}`, 'x.md:text/plain'],
      0,
      'blob',
    ],
    [
      'in a container image',
      [`:${tar}+gzip`, ':application/vnd.kubevirt.disk.raw+zstd'],
      1,
      'blob',
    ],
    ['beside its signature', [`disk.iso:${any}`, `disk.iso.asc:${any}`], 0, 'blob'],
  ])('of several files is known %s', (_how, texts, nth, kind) => {
    const part = texts.map(layer)[nth]
    expect(diskArtifact(imageOf(texts))).toMatchObject({ kind, part })
  })

  test.each([
    [[`a.qcow2:${disk}`, `b.qcow2:${disk}`], '2 disks, "a.qcow2" and "b.qcow2", and one is needed'],
    [[`a.img:${any}`, `b:${disk}`], '2 disks, "a.img" and "b", and one is needed'],
    [[`a:${any}`, `b:${any}`, `c:${any}`], '3 disks, "a", "b" and "c", and one is needed'],
    [
      Array.from({ length: 40 }, (_, nth) => `${nth}.img:${tar}`),
      '"9.img" and 30 more, and one is',
    ],
  ])('of %j is refused', (texts, message) => {
    expect(flawOf(() => diskArtifact(imageOf(texts)))).toContain(message)
  })

  const helm = 'application/vnd.cncf.helm.config.v1+json'
  const chart = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'
  const signature = 'application/vnd.dev.cosign.simplesigning.v1+json'
  test.each([
    ['a chart', imageOf([`:${chart}`], helm), `is of type ${helm} and has no disk, only "sha256:`],
    [
      'a signature',
      imageOf([`:${signature}`], mediaTypes.config),
      `of type ${signature}; taken are`,
    ],
    [
      'of nothing',
      imageOf([], empty, 'application/vnd.example'),
      'is of type application/vnd.example and has no disk, and no layers; taken',
    ],
    [
      'an image of nothing',
      imageOf([], docker),
      `is of type ${docker} and has no disk, and no layers`,
    ],
    [
      'of two files that oras was told nothing of',
      imageOf([`a:${tar}`, `b:${tar}`]),
      `only "a" of type ${tar} and "b" of type ${tar}; taken are`,
    ],
    [
      'of a text',
      imageOf(['a.md:text/plain;\u001b[0m']),
      'only "a.md" of type text/plain; taken are',
    ],
    [
      'of a control character',
      imageOf(['\u001b[0m:text/plain']),
      String.raw`only "\u001b[0m" of type`,
    ],
    [
      'of a checksum',
      imageOf(['disk.qcow2.sha256:text/plain']),
      'has no disk, only "disk.qcow2.sha256"',
    ],
  ])('that is %s is refused', (_what, image, message) => {
    expect(flawOf(() => diskArtifact(image))).toContain(message)
  })

  test('of anything is one part, its layers, or INVALID_OCI in a message that fits a page', () => {
    const types = [tar, `${tar}+gzip`, any, disk, 'text/plain', chart]
    const layer = fc
      .tuple(fc.oneof(fc.string(), fc.constantFrom('', 'a.img', 'b/')), fc.constantFrom(...types))
      .map(([name, type]) => `${name.replaceAll(':', '')}:${type}`)
    const configs = fc.constantFrom(empty, docker, mediaTypes.config, helm)
    fc.assert(
      fc.property(fc.array(layer), configs, (layers, config) => {
        const image = imageOf(layers, config)
        const message = flawOf(() => {
          const artifact = diskArtifact(image)
          if (artifact.kind !== 'layers') expect(image.layers).toContain(artifact.part)
        })
        expect((message ?? '').length).toBeLessThan(4096)
      }),
    )
  })
})
