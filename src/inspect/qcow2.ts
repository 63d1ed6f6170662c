import { checksOver, claimsTooMuch } from './checks.ts'
import type { Check, Described, Inspector } from './inspector.ts'
import { findExtension, readExtensions } from './qcow2-extensions.ts'
import {
  autoclear,
  clusterSize,
  compatible,
  has,
  incompatible,
  readHeader,
  virtualSize,
  type Header,
} from './qcow2-header.ts'
import { snapshotsAhead, snapshotsProblem } from './qcow2-snapshots.ts'
import { surveyQcow2 } from './qcow2-survey.ts'
import { bitmapsProblem, l1Problem, refcountProblem } from './qcow2-tables.ts'
import type { Windows } from './windows.ts'

const magic = 'QFI\xfb'
const flatten = 'make one file of it: qemu-img convert -O qcow2 <file> disk.qcow2'
const compressions = ['zlib', 'zstd']
const knownBits = Object.values(incompatible).reduce((all, bit) => all | bit, 0n)

const check = checksOver(readHeader)

function layoutProblem(header: Header): string | null {
  const { clusterBits } = header
  const { headerLength } = header.features
  const least = has(header.features.incompatible, incompatible.extendedL2) ? 14 : 9
  if (clusterBits < least || clusterBits > 21) {
    return `the cluster bits are ${clusterBits}; ${least} to 21 are possible`
  }
  if (header.version === 2) return null
  if (headerLength < 104 || headerLength % 8 !== 0 || headerLength > clusterSize(header)) {
    return `a header cannot have ${headerLength} bytes`
  }
  return null
}

function extensionsProblem(header: Header, windows: Windows): string | null {
  const { overrun } = readExtensions(windows, header)
  return overrun ? 'the header extensions do not end within the first cluster' : null
}

function backingProblem(header: Header, windows: Windows): string | null {
  const named = header.backingOffset !== 0n || header.backingLength !== 0
  if (!named && !findExtension(windows, header, 'backingFormat')) return null
  return `the image is only the difference to another file, its backing file; ${flatten}`
}

function dataFileProblem(header: Header, windows: Windows): string | null {
  const external =
    has(header.features.incompatible, incompatible.dataFile) ||
    has(header.features.autoclear, autoclear.rawDataFile) ||
    findExtension(windows, header, 'dataFile') !== null
  return external ? `the image keeps its data in another file; ${flatten}` : null
}

function encryptionProblem(header: Header, windows: Windows): string | null {
  const encrypted = header.encryption === 1 || header.encryption === 2
  if (!encrypted && !findExtension(windows, header, 'encryption')) return null
  return 'the image is encrypted and nobody could start from it; convert it to a plain qcow2 with qemu-img and its secret'
}

function featuresProblem(header: Header): string | null {
  const unknown = header.features.incompatible & ~knownBits
  if (unknown !== 0n) {
    return `the image needs qcow2 features that are not known here (bits 0x${unknown.toString(16)})`
  }
  const { compression } = header.features
  if (compression < compressions.length) return null
  return `the compression type ${compression} is not known; zlib (0) and zstd (1) are`
}

/** The bit says that the type is another than zlib, so neither stands without the other. */
function compressionProblem(header: Header): string | null {
  const said = has(header.features.incompatible, incompatible.compression)
  if (said === (header.features.compression !== 0)) return null
  return 'the compression type contradicts the feature bit for it'
}

function corruptProblem(header: Header): string | null {
  if (!has(header.features.incompatible, incompatible.corrupt)) return null
  return 'the image is marked as corrupt; repair it: qemu-img check -r all <file>'
}

const checks: readonly [Check, ...Check[]] = [
  check('version', 'UNSUPPORTED_FORMAT', ({ version }) =>
    version === 2 || version === 3 ? null : `version ${version} of qcow2 is not known; 2 and 3 are`,
  ),
  check('layout', 'INVALID_HEADER', layoutProblem),
  check('backing file', 'EXTERNAL_REFERENCE', backingProblem),
  check('data file', 'EXTERNAL_REFERENCE', dataFileProblem),
  check('encryption', 'ENCRYPTED_IMAGE', encryptionProblem),
  check('encryption method', 'INVALID_HEADER', ({ encryption }) =>
    encryption === 0 ? null : `${encryption} is no encryption method`,
  ),
  check('extensions', 'INVALID_HEADER', extensionsProblem),
  check('corrupt', 'INVALID_HEADER', corruptProblem),
  check('features', 'UNSUPPORTED_FORMAT', featuresProblem),
  check('compression', 'INVALID_HEADER', compressionProblem),
  check('empty', 'INVALID_HEADER', (header) =>
    virtualSize(header) === 0n
      ? `the disk in the image has ${header.size} bytes, less than a sector`
      : null,
  ),
  check('virtual size', 'VIRTUAL_SIZE_LIMIT', (header, _windows, limits) =>
    claimsTooMuch(header.size, limits),
  ),
  check('L1 table', 'INVALID_HEADER', (header, windows) => l1Problem(windows, header)),
  check('refcount table', 'INVALID_HEADER', (header, windows) => refcountProblem(windows, header)),
  check('snapshots', 'INVALID_HEADER', (header, windows) => snapshotsProblem(windows, header)),
  check('bitmaps', 'INVALID_HEADER', (header, windows) => bitmapsProblem(windows, header)),
]

function bitmaps(windows: Windows, header: Header): number {
  const extension = findExtension(windows, header, 'bitmaps')
  const told = has(header.features.autoclear, autoclear.bitmaps)
  return told && extension ? windows.u32be(extension.offset) : 0
}

function describe(windows: Windows): Described {
  const header = readHeader(windows)
  const dirty = has(header.features.incompatible, incompatible.dirty)
  return {
    format: 'qcow2',
    unpackedBytes: Number(virtualSize(header)),
    // What the guest would start from lies in clusters anywhere in the file.
    bootable: 'unknown',
    architecture: null,
    details: {
      version: header.version,
      compression: compressions[header.features.compression] ?? 'unknown',
      clusterSize: clusterSize(header),
      extendedL2: has(header.features.incompatible, incompatible.extendedL2),
      lazyRefcounts: has(header.features.compatible, compatible.lazyRefcounts),
      bitmaps: bitmaps(windows, header),
      snapshots: header.snapshots,
      ...(dirty ? { warnings: ['the image was not closed properly (dirty bit)'] } : {}),
    },
  }
}

export const qcow2: Inspector = {
  format: 'qcow2',
  title: 'qcow2',
  regions: [{ from: 'start', offset: 0, length: 8 }],
  // Version 1 is another format by the same magic and is refused by its own name.
  matches: (windows) => windows.has(0, magic) && !windows.has(4, [0, 0, 0, 1]),
  checks,
  ahead: (windows) => snapshotsAhead(readHeader(windows)),
  describe,
  survey: surveyQcow2,
}
