import type { Code } from '../errors.ts'
import type { Facts, Format } from '../image/format.ts'
import type { Survey, WholeFile } from './survey.ts'
import type { Windows } from './windows.ts'

/** A bounded stretch of the file. `offset` counts from the start, or backwards from the end (so 512 is the last sector). */
export type Region = {
  readonly from: 'start' | 'end'
  readonly offset: number
  readonly length: number
}

/** One way in which a file of the format can be refused. */
export type Check = {
  readonly name: string
  /** The refusal's code. */
  readonly code: Extract<
    Code,
    | 'EXTERNAL_REFERENCE'
    | 'UNSUPPORTED_FORMAT'
    | 'ENCRYPTED_IMAGE'
    | 'INVALID_HEADER'
    | 'NOT_AN_IMAGE'
    | 'UNSAFE_ARCHIVE'
    | 'VIRTUAL_SIZE_LIMIT'
  >
  /**
   * What is wrong, as a sentence; null when nothing is. It reads straight on: a read of bytes that have not come throws
   * Missing, and the check runs again when there are more. While `windows.size` is null nothing can be beyond the end.
   */
  readonly problem: (windows: Windows, limits: Limits) => string | null
}

export type Limits = {
  /** Bytes; a larger virtual size is VIRTUAL_SIZE_LIMIT. */
  readonly maxVirtualSize: number
}

/** What the windows tell; the rest takes a second look. */
export type Described = Omit<Facts, 'allocatedBytes'>

/** How the bytes tell that they are of a format. What two signatures claim is ambiguous. */
export interface Signature {
  /** As a message says it: `ISO 9660`. */
  readonly title: string
  /** What `matches` reads. It is asked when the regions from the start are there, and again when the file has ended. */
  readonly regions: readonly [Region, ...Region[]]
  /** Never throws: bytes that are not there match nothing. */
  matches(windows: Windows): boolean
}

/** A format that is known by its signature and refused by its name. */
export interface Stranger extends Signature {
  readonly code: Check['code']
  /** The refusal, with the way out. */
  readonly message: string
}

/**
 * One format. It sees only its windows, never seeks in the source, allocates nothing by a number that the file claims.
 * An empty list of checks does not compile: silence is never a pass.
 */
export interface Inspector extends Signature {
  readonly format: Format
  /** Run in this order; the first that finds something is the refusal. */
  readonly checks: readonly [Check, ...Check[]]
  /** Places behind the head which the header points to, to be kept when they come by. At most `aheadLength` each. */
  ahead?(windows: Windows): readonly Region[]
  /** Asked once, at the end, after all checks. It tells only what stands in a window. */
  describe(windows: Windows, size: number): Described
  /**
   * The second look, once the file lies whole on a disk (survey.ts). Its work is bounded by the file's size, its memory by
   * constants.
   * @throws Flaw INVALID_HEADER
   */
  survey?(file: WholeFile, signal: AbortSignal): Promise<Survey>
}
