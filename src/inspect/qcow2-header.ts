import type { Windows } from './windows.ts'

/*
 * qcow2, big-endian (qemu docs/interop/qcow2.txt)
 *
 *   0  4  magic "QFI\xfb"                  48  8  refcount table offset
 *   4  4  version, 2 or 3                  56  4  refcount table, clusters
 *   8  8  backing file name, offset        60  4  number of snapshots
 *  16  4  backing file name, length        64  8  snapshot table offset
 *  20  4  cluster bits                     72  8  incompatible features     from here version 3
 *  24  8  virtual size                     80  8  compatible features
 *  32  4  encryption method                88  8  autoclear features
 *  36  4  L1 table, entries                96  4  refcount order
 *  40  8  L1 table offset                 100  4  header length, 104 or more
 *                                         104  1  compression type, if the header is longer than 104
 */
export type Header = {
  readonly version: number
  readonly backingOffset: bigint
  readonly backingLength: number
  readonly clusterBits: number
  readonly size: bigint
  readonly encryption: number
  readonly l1Entries: number
  readonly l1Offset: bigint
  readonly refcountOffset: bigint
  readonly refcountClusters: number
  readonly snapshots: number
  readonly snapshotsOffset: bigint
  readonly features: Features
}

export type Features = {
  readonly incompatible: bigint
  readonly compatible: bigint
  readonly autoclear: bigint
  readonly refcountOrder: number
  readonly headerLength: number
  readonly compression: number
}

/** Bits of the three feature fields, by the numbers of the specification. */
export const incompatible = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  dataFile: 1n << 2n,
  compression: 1n << 3n,
  extendedL2: 1n << 4n,
} as const
export const compatible = { lazyRefcounts: 1n << 0n } as const
export const autoclear = { bitmaps: 1n << 0n, rawDataFile: 1n << 1n } as const

/** Version 2 has no features; its bytes from 72 on belong to something else and mean nothing here. */
const version2: Features = {
  incompatible: 0n,
  compatible: 0n,
  autoclear: 0n,
  refcountOrder: 4,
  headerLength: 72,
  compression: 0,
}

const compressionOffset = 104
/** Bytes in which all fields are. */
export const fixedLength = 112

function readFeatures(windows: Windows): Features {
  const headerLength = windows.u32be(100)
  return {
    incompatible: windows.u64be(72),
    compatible: windows.u64be(80),
    autoclear: windows.u64be(88),
    refcountOrder: windows.u32be(96),
    headerLength,
    compression: headerLength > compressionOffset ? windows.u8(compressionOffset) : 0,
  }
}

/** The header's fields, unjudged. */
export function readHeader(windows: Windows): Header {
  const version = windows.u32be(4)
  return {
    version,
    backingOffset: windows.u64be(8),
    backingLength: windows.u32be(16),
    clusterBits: windows.u32be(20),
    size: windows.u64be(24),
    encryption: windows.u32be(32),
    l1Entries: windows.u32be(36),
    l1Offset: windows.u64be(40),
    refcountOffset: windows.u64be(48),
    refcountClusters: windows.u32be(56),
    snapshots: windows.u32be(60),
    snapshotsOffset: windows.u64be(64),
    features: version === 2 ? version2 : readFeatures(windows),
  }
}

/** Bytes of a cluster. Only for a header whose cluster bits are judged. */
export function clusterSize(header: Header): number {
  return 2 ** header.clusterBits
}

export function has(field: bigint, bit: bigint): boolean {
  return (field & bit) !== 0n
}

/**
 * A disk of whole sectors, as the guest sees it: QEMU rounds up when it makes an image, and what stands in the header
 * nevertheless it rounds down when it opens it.
 */
export function virtualSize({ size }: Header): bigint {
  return size - (size % 512n)
}
