import { checksOver, claimsTooMuch } from './checks.ts'
import type { Check, Described, Inspector, Region } from './inspector.ts'
import { isOwnExtent, parseDescriptor, type Descriptor } from './vmdk-descriptor.ts'
import { disagreement, footerAt, isNeeded } from './vmdk-footer.ts'
import {
  atEnd,
  directoryEntries,
  has,
  headerLength,
  lineEnds,
  magic,
  readHeader,
  sector,
  type Header,
} from './vmdk-header.ts'
import { surveyVmdk } from './vmdk-survey.ts'
import type { Windows } from './windows.ts'

const flatten =
  'make one file of it, in the folder of its other files: qemu-img convert -f vmdk -O qcow2 <file> disk.qcow2'
const partOfMany = `the file is one part of a disk whose descriptor and other parts are other files; ${flatten}`
/** Disks that lie in one file. */
const createTypes = new Set(['monolithicSparse', 'streamOptimized'])
/** Sectors: 4 KiB to 64 KiB. */
const grains = new Set([8n, 16n, 32n, 64n, 128n])
const mostTableEntries = 512
/** Sectors of the embedded text; the head holds them. */
const mostDescriptor = 2048n
const noParent = 0xffff_ffff

const check = checksOver((windows) => readHeader(windows))

/** Each check asks anew, and bytes that have come do not change. */
const parsed = new WeakMap<Windows, Descriptor>()

function descriptor(header: Header, windows: Windows): Descriptor {
  const known = parsed.get(windows)
  if (known) return known
  const start = Number(header.descriptorOffset) * sector
  const found = parseDescriptor(windows.text(start, Number(header.descriptorSize) * sector))
  parsed.set(windows, found)
  return found
}

/** With a size of 0 QEMU takes the file for a descriptor that begins at its end, and follows what that names. */
function embeddedProblem({ capacity, descriptorOffset, descriptorSize }: Header): string | null {
  if (capacity === 0n)
    return `the header gives no size, so that readers look for other files; ${flatten}`
  if (descriptorOffset === 0n || descriptorSize === 0n) {
    return partOfMany
  }
  return null
}

function layoutProblem(header: Header): string | null {
  const { grain, tableEntries, descriptorOffset, descriptorSize } = header
  if (descriptorOffset !== 1n) return `the descriptor is at sector ${descriptorOffset}, not at 1`
  if (descriptorSize > mostDescriptor) {
    return `a descriptor of ${descriptorSize} sectors is longer than ${mostDescriptor}`
  }
  if (!grains.has(grain))
    return `the grains have ${grain} sectors; powers of 2 from 8 to 128 are possible`
  if (tableEntries === 0 || tableEntries > mostTableEntries) {
    return `a grain table has ${tableEntries} entries; 1 to ${mostTableEntries} are possible`
  }
  return null
}

function compressionProblem(header: Header): string | null {
  const { compression } = header
  if (compression > 1)
    return `the compression ${compression} is not known; none (0) and deflate (1) are`
  if (has(header, 'compressed') === (compression === 1)) return null
  return 'the compression contradicts the flag for it'
}

function lineEndsProblem(header: Header): string | null {
  if (!has(header, 'lineEnds') || header.lineEnds === lineEnds) return null
  return 'a transfer as text has changed its line ends; transfer it anew, as binary'
}

function referenceProblem(header: Header, windows: Windows): string | null {
  const { createType, extents, namesParent, parentId } = descriptor(header, windows)
  const isChild = parentId !== null && Number.parseInt(parentId, 16) !== noParent
  if (namesParent || isChild) return `the image is only the difference to another image; ${flatten}`
  if (createType !== null && !createTypes.has(createType)) {
    return `the disk is of type ${createType}, which lies in other files; ${flatten}`
  }
  const [own] = extents
  if (own === undefined) return partOfMany
  if (extents.length === 1 && isOwnExtent(own)) return null
  return `the descriptor names other places than this one file; ${flatten}`
}

function descriptorProblem(header: Header, windows: Windows): string | null {
  const { createType, parentId } = descriptor(header, windows)
  if (createType === null)
    return 'the descriptor does not tell the type of the disk, or more than one'
  if (parentId === null) return 'the descriptor does not tell the parent, or more than one'
  return null
}

function tablesProblem(header: Header, windows: Windows): string | null {
  const { directory, secondDirectory, grainsOffset } = header
  const length = directoryEntries(header) * 4n
  const tables = [
    { name: 'grain directory', start: directory, length, counts: directory !== atEnd },
    {
      name: 'second grain directory',
      start: secondDirectory,
      length,
      counts: has(header, 'secondDirectory'),
    },
    {
      name: 'space before the grains',
      start: 0n,
      length: grainsOffset * BigInt(sector),
      counts: true,
    },
  ]
  for (const table of tables) {
    const problem = table.counts ? misplaced(windows, table) : null
    if (problem !== null) return problem
  }
  return null
}

type Table = { readonly name: string; readonly start: bigint; readonly length: bigint }

function misplaced({ size }: Windows, { name, start, length }: Table): string | null {
  const end = start * BigInt(sector) + length
  if (size === null || end <= size) return null
  return `the ${name} would end at byte ${end} but the file has ${size} bytes; it was cut short`
}

/** The directory is at least behind the header; where the footer tells it, the footer's own place is judged. */
function directoryProblem(header: Header, windows: Windows): string | null {
  if (header.directory === 0n) return 'the grain directory would lie in the header'
  const footer = footerAt(windows)
  if (footer === null) return null
  const last = readHeader(windows, footer)
  if (last.directory === atEnd || last.directory === 0n)
    return 'the footer does not tell where the grain directory is'
  return tablesProblem(last, windows)
}

const checks: readonly [Check, ...Check[]] = [
  check('version', 'UNSUPPORTED_FORMAT', ({ version }) =>
    version >= 1 && version <= 3 ? null : `version ${version} of VMDK is not known; 1 to 3 are`,
  ),
  check('one file', 'EXTERNAL_REFERENCE', embeddedProblem),
  check('layout', 'INVALID_HEADER', layoutProblem),
  check('line ends', 'INVALID_HEADER', lineEndsProblem),
  check('compression', 'INVALID_HEADER', compressionProblem),
  check('references', 'EXTERNAL_REFERENCE', referenceProblem),
  check('encryption', 'ENCRYPTED_IMAGE', (header, windows) =>
    descriptor(header, windows).isEncrypted
      ? 'the image is encrypted and nobody could start from it; export it from where it is decrypted'
      : null,
  ),
  check('descriptor', 'INVALID_HEADER', descriptorProblem),
  check('virtual size', 'VIRTUAL_SIZE_LIMIT', ({ capacity }, _windows, limits) =>
    claimsTooMuch(capacity * BigInt(sector), limits),
  ),
  check('tables', 'INVALID_HEADER', tablesProblem),
  check('footer', 'INVALID_HEADER', (header, windows) =>
    windows.ended && isNeeded(header) && footerAt(windows) === null
      ? 'the file does not end with its footer; it was cut short'
      : null,
  ),
  check('two headers', 'EXTERNAL_REFERENCE', disagreement),
  check('directory', 'INVALID_HEADER', directoryProblem),
]

function describe(windows: Windows): Described {
  const header = readHeader(windows)
  return {
    format: 'vmdk',
    unpackedBytes: Number(header.capacity) * sector,
    // What the guest would start from lies in grains anywhere in the file.
    bootable: 'unknown',
    architecture: null,
    details: { createType: descriptor(header, windows).createType ?? 'unknown' },
  }
}

const start: Region = { from: 'start', offset: 0, length: headerLength }

export const vmdk: Inspector = {
  format: 'vmdk',
  title: 'VMDK',
  regions: [start],
  matches: (windows) => windows.has(0, magic),
  checks,
  describe,
  survey: surveyVmdk,
}
