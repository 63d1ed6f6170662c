import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import { binary, extended, records, tarOf, type Entry } from '../fixtures/tar-by-hand.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { bytes, layer } from '../support/hostile-plays.ts'
import { lies, type Lie } from '../support/hostile-registry.ts'
import {
  expectDisk,
  expectFailed,
  oneLayer,
  startTold,
  type Row,
} from '../support/hostile-stage.ts'
import type { Service } from '../support/service.ts'

let service: Service
const resources = new AsyncDisposableStack()
beforeAll(async () => {
  service = resources.use(await startTold({ SLIPWAY_MAX_IMAGE_SIZE: '8Mi' }))
})
afterAll(() => resources.disposeAsync())

const gzip = gzipSync(layer, { level: 1 })
const zstd = zstdCompressSync(layer)
const unended = layer.subarray(0, -1024)
const large = tarOf({ name: 'disk/x.img', data: Buffer.alloc(9 * mebibyte) })
const besides = tarOf({ name: 'srv/zeros', data: Buffer.alloc(20 * mebibyte) })
const inside = tarOf({ name: 'disk/x.img.gz', data: gzipSync(Buffer.alloc(9 * mebibyte)) })
const labelled = (as: 'gzip' | 'zstd') => ({ mediaType: `${mediaTypes.layer}+${as}` })

/** Other bytes of the disk, in a tar that is sound. */
const otherDisk: Lie = ({ bytes = Buffer.alloc(0), ...honest }) => {
  const other = Buffer.from(bytes)
  other.writeUInt8(other.readUInt8(bytes.length / 2) ^ 1, bytes.length / 2)
  return { ...honest, bytes: other }
}
const inChunks =
  (lie: Lie): Lie =>
  (honest) => {
    const play = lie(honest)
    return typeof play === 'function' ? play : { ...play, framing: 'chunked' }
  }
const headed =
  (headers: Readonly<Record<string, string>>): Lie =>
  (honest) => ({ ...honest, headers: { ...honest.headers, ...headers } })

const lying = (lie: Lie, blob = layer) => ({
  play: (stage: Parameters<Row['play']>[0]) => oneLayer(stage, blob, layer, { lie }),
})
const packed = (blob: Buffer, tar?: Buffer) => ({
  play: (stage: Parameters<Row['play']>[0]) => oneLayer(stage, blob, tar),
})

const says = (found: string) =>
  new RegExp(`^the registry says the blob sha256:\\w{64} has ${found}, its manifest \\d+; push`)

const blobs: readonly Row[] = [
  {
    what: 'with another disk in it',
    ...lying(otherDisk),
    code: 'INVALID_OCI',
    message: /^layer sha256:\w{64} is not what it is said to be: expected .+, found .+; push/,
  },
  {
    what: 'of other bytes',
    ...lying(lies.otherBytes),
    code: 'CORRUPT_ARCHIVE',
    message: /^layer sha256:\w{64}: it is no tar, whatever its media type says; build/,
  },
  {
    what: 'that unpacks to something else than is said',
    play: (stage) => oneLayer(stage, gzip, Buffer.from('another')),
    code: 'INVALID_OCI',
    message: /^layer sha256:\w{64} unpacks to something else: it is not what .+, found .+; push/,
  },
  {
    what: 'that is not compressed and should unpack to something else',
    play: (stage) => oneLayer(stage, layer, Buffer.from('another')),
    code: 'INVALID_OCI',
    message: /^layer sha256:\w{64} is not compressed, so it cannot have the diff id .+; push/,
  },
  {
    what: 'of which two are told what they unpack to',
    play: (stage) => oneLayer(stage, gzip, layer, { diffIds: [digestOf(layer), digestOf(layer)] }),
    code: 'INVALID_OCI',
    message: /^the image has 1 layers and its configuration names 2; build/,
  },
  {
    what: 'that is longer than is said',
    ...lying(lies.longerInChunks),
    code: 'INVALID_OCI',
    message: says('more bytes'),
  },
  {
    what: 'that is shorter than is said',
    ...lying(inChunks(lies.shorter)),
    code: 'INVALID_OCI',
    message: says('no bytes from \\d+ on'),
    again: true,
  },
  {
    what: 'whose Content-Length is larger',
    ...lying(lies.longer),
    code: 'INVALID_OCI',
    message: says('\\d+ bytes'),
  },
  {
    what: 'whose Content-Length is smaller',
    ...lying(lies.shorter),
    code: 'INVALID_OCI',
    message: says('\\d+ bytes'),
  },
  {
    what: 'of another size than its manifest says',
    play: (stage) => oneLayer(stage, gzip, layer, { layer: { size: gzip.length + 1 } }),
    code: 'INVALID_OCI',
    message: says('\\d+ bytes'),
  },
  {
    what: 'of less than nothing',
    play: (stage) => oneLayer(stage, gzip, layer, { layer: { size: -1 } }),
    code: 'INVALID_OCI',
    message: /^the image's manifest is not valid: .*size/,
  },
  {
    what: 'in a content coding that nobody asked for',
    ...lying(headed({ 'content-encoding': 'gzip' })),
    code: 'SOURCE_REFUSED',
    message: /in a content coding that was not asked for; ask its operator for identity$/,
  },
  {
    what: 'that lies elsewhere',
    play: (stage) => {
      const urls = ['http://169.254.169.254/layer']
      return oneLayer(stage, gzip, layer, { layer: { urls } })
    },
    code: 'INVALID_OCI',
    message: /^the image's part sha256:\w{64} lies elsewhere than in its registry/,
  },
]

const tooLarge = /^the image has 9Mi or more, at most 8Mi are allowed \(SLIPWAY_MAX_IMAGE_SIZE\)$/

const corrupt = (what: string, blob: Buffer): Row => ({
  what,
  ...packed(blob, layer),
  code: 'CORRUPT_ARCHIVE',
  message: /^layer sha256:\w{64}: /,
})

const unpacking: readonly Row[] = [
  corrupt('whose gzip ends in the middle', gzip.subarray(0, gzip.length / 2)),
  corrupt('whose gzip has no end', gzip.subarray(0, -8)),
  corrupt('whose zstd ends in the middle', zstd.subarray(0, zstd.length / 2)),
  corrupt('with something behind its gzip', Buffer.concat([gzip, Buffer.from('more')])),
  {
    what: 'that is compressed twice',
    ...packed(gzipSync(gzip), layer),
    code: 'INVALID_OCI',
    message: /^layer sha256:\w{64} is compressed twice \(gzip around gzip\); push/,
  },
  {
    what: 'whose tar ends in the middle',
    ...packed(layer.subarray(0, layer.length / 2)),
    code: 'CORRUPT_ARCHIVE',
    message: /^layer sha256:\w{64}: it was cut off at byte \d+, before the end of the tar; build/,
  },
  {
    what: 'whose gzip unpacks to more than is allowed',
    ...packed(gzipSync(large), large),
    code: 'TOO_LARGE',
    message: tooLarge,
  },
  {
    what: 'whose zstd unpacks to more than is allowed',
    ...packed(zstdCompressSync(large), large),
    code: 'TOO_LARGE',
    message: tooLarge,
  },
  {
    what: 'that unpacks to more than is allowed, beside the disk',
    ...packed(gzipSync(besides), besides),
    code: 'DECOMPRESSION_LIMIT',
    message: /16777216/,
  },
  {
    what: 'with a disk that unpacks to more than is allowed',
    ...packed(gzipSync(inside), inside),
    code: 'DECOMPRESSION_LIMIT',
    message: /8Mi|8388608/,
  },
  {
    what: 'with a disk that is larger than allowed',
    ...packed(large),
    code: 'TOO_LARGE',
    message: tooLarge,
  },
  {
    what: 'with a disk that says it has a pebibyte',
    ...packed(tarOf({ name: 'disk/x.img', data: bytes, size: binary(2 ** 50) })),
    code: 'TOO_LARGE',
    message: /^the image has 1Pi or more, at most 8Mi are allowed \(SLIPWAY_MAX_IMAGE_SIZE\)$/,
  },
]

const file: Entry = { name: 'disk/x.img', data: bytes }
const tar = (...pieces: readonly (Entry | Buffer)[]) => packed(tarOf(...pieces))
const unsafe = (what: string, pieces: readonly (Entry | Buffer)[], message: RegExp): Row => ({
  what,
  ...tar(...pieces),
  code: 'UNSAFE_ARCHIVE',
  message,
})

const tars: readonly Row[] = [
  unsafe(
    'with two files under disk/',
    [file, { name: 'disk/y.img', data: disk(mebibyte, 1) }],
    /^layer sha256:\w{64}: two files could be the disk, disk\/x\.img and disk\/y\.img; build/,
  ),
  unsafe(
    'with one file twice',
    [file, file],
    /^layer sha256:\w{64}: disk\/x\.img is there twice in one layer; build/,
  ),
  unsafe(
    'with a symbolic link for a disk',
    [{ name: 'disk/x.img', flag: '2', linkname: '/etc/passwd' }],
    /: disk\/x\.img is a symbolic link to \/etc\/passwd and no file of its own; build/,
  ),
  unsafe(
    'with a hard link for a disk',
    [
      { name: 'srv/x.img', data: bytes },
      { name: 'disk/x.img', flag: '1', linkname: 'srv/x.img' },
    ],
    /: disk\/x\.img is a hard link to srv\/x\.img and no file of its own; build/,
  ),
  unsafe(
    'with a device for a disk',
    [{ name: 'disk/x.img', flag: '4' }],
    /: disk\/x\.img is a block device and no file of its own; build/,
  ),
  unsafe(
    'with a symbolic link for disk/',
    [{ name: 'disk', flag: '2', linkname: '/etc' }],
    /: disk is a symbolic link to \/etc; build/,
  ),
  unsafe(
    'with a disk that is sparse as GNU tar writes it',
    [{ ...file, flag: 'S' }],
    /: disk\/x\.img is sparse as GNU tar writes it; build/,
  ),
  unsafe(
    'with a disk that is sparse as PAX says it',
    [extended(records({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0' })), file],
    /: disk\/x\.img is sparse; build/,
  ),
  unsafe(
    'with a name that leads upwards',
    [{ name: '../disk/x.img', data: bytes }],
    /: the name "\.\.\/disk\/x\.img" leads upwards with "\.\."$/,
  ),
  unsafe(
    'with two sizes of one disk',
    [extended(records({ size: '512' })), file],
    /: disk\/x\.img has the sizes 1048576 and 512; build/,
  ),
]

describe('an import ends in Failed from a registry that gives a layer', () => {
  test.each([...blobs, ...unpacking, ...tars])('$what', async (row) => {
    await expectFailed(service, row)
  })
})

describe('an import takes a layer for what its bytes are', () => {
  test.each([
    ['that is called gzip and is zstd', 'gzip', zstd, layer],
    ['that is called zstd and is not compressed', 'zstd', layer, layer],
    ['that is called zstd and is gzip', 'zstd', gzip, layer],
    ['that is called gzip and is not compressed', 'gzip', layer, layer],
    ['whose tar lacks its end', 'gzip', unended, unended],
  ] as const)('%s', async (_, as, blob, tar) => {
    const play: Row['play'] = (stage) => oneLayer(stage, blob, tar, { layer: labelled(as) })
    await expectDisk(service, play, bytes)
  })
})
