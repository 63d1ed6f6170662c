import { checksOver, claimsTooMuch } from './checks.ts'
import type { Check, Described, Inspector, Region } from './inspector.ts'
import { dynamicAhead, dynamicParentProblem, dynamicProblem } from './vhd-dynamic.ts'
import { checksumOf, footerLength, readFooter, type Footer } from './vhd-footer.ts'
import { surveyVhd } from './vhd-survey.ts'
import type { Windows } from './windows.ts'

const cookie = 'conectix'
const sector = 512
const types: { readonly [type: number]: string } = { 2: 'fixed', 3: 'dynamic' }
const flatten =
  'make one file of it: qemu-img convert -O qcow2, on the machine that has the other file, too'
const start: Region = { from: 'start', offset: 0, length: footerLength }
const end: Region = { from: 'end', offset: footerLength, length: footerLength }

/** A dynamic image has a copy of its footer at the start; of a fixed one only the end tells. */
function footer(windows: Windows): Footer {
  const beginsWithIt = windows.has(0, cookie)
  return readFooter(windows, beginsWithIt ? 0 : windows.received - footerLength)
}

function endsWithIt(windows: Windows): boolean {
  return windows.ended && windows.has(windows.received - footerLength, cookie)
}

const check = checksOver(footer)

function checksumProblem({ offset, checksum }: Footer, windows: Windows): string | null {
  if (checksumOf(windows.bytes(offset, footerLength), 64) === checksum) return null
  return 'the checksum of its footer is wrong; the file is damaged'
}

function sizeProblem({ type, size }: Footer, { size: length }: Windows): string | null {
  if (size === 0n) return 'the disk in the image has a size of 0'
  if (size % BigInt(sector) !== 0n) return `a disk of ${size} bytes is not made of whole sectors`
  if (types[type] !== 'fixed' || length === null) return null
  if (size + BigInt(footerLength) === BigInt(length)) return null
  return `a fixed disk of ${size} bytes makes a file of ${size + BigInt(footerLength)}, but this one has ${length}`
}

/** The footer is written last: a file that ends without it, or with another one, is not whole. */
function endProblem(first: Footer, windows: Windows): string | null {
  if (!windows.ended) return null
  if (!endsWithIt(windows)) return 'the file does not end with its footer; it was cut short'
  const last = readFooter(windows, windows.received - footerLength)
  const agree =
    last.type === first.type && last.size === first.size && last.dataOffset === first.dataOffset
  return agree ? null : 'the footers at the start and at the end contradict each other'
}

const ifDynamic =
  (problem: (footer: Footer, windows: Windows) => string | null) =>
  (footer: Footer, windows: Windows): string | null =>
    types[footer.type] === 'dynamic' ? problem(footer, windows) : null

const checks: readonly [Check, ...Check[]] = [
  check('checksum', 'INVALID_HEADER', checksumProblem),
  check('difference', 'EXTERNAL_REFERENCE', ({ type }) =>
    type === 4 ? `the image is only the difference to another image; ${flatten}` : null,
  ),
  check('type', 'INVALID_HEADER', ({ type }) =>
    types[type] === undefined ? `${type} is no type of a VHD image` : null,
  ),
  check('place', 'INVALID_HEADER', ({ type, offset }) =>
    (offset === 0) === (types[type] === 'dynamic')
      ? null
      : `the footer of a ${types[type]} image is not where it belongs`,
  ),
  check('size', 'INVALID_HEADER', sizeProblem),
  check('virtual size', 'VIRTUAL_SIZE_LIMIT', ({ size }, _windows, limits) =>
    claimsTooMuch(size, limits),
  ),
  check('parent', 'EXTERNAL_REFERENCE', ifDynamic(dynamicParentProblem)),
  check('dynamic header', 'INVALID_HEADER', ifDynamic(dynamicProblem)),
  check('end', 'INVALID_HEADER', endProblem),
]

function describe(windows: Windows): Described {
  const { size, type } = footer(windows)
  return {
    format: 'vhd',
    unpackedBytes: Number(size),
    bootable: 'unknown',
    architecture: null,
    details: { type: types[type] ?? 'unknown' },
  }
}

export const vhd: Inspector = {
  format: 'vhd',
  title: 'VHD',
  regions: [start, end],
  matches: (windows) => windows.has(0, cookie) || endsWithIt(windows),
  checks,
  ahead: (windows) => dynamicAhead(footer(windows)),
  describe,
  survey: surveyVhd,
}
