import { Bug, Flaw } from '../errors.ts'
import { isItsFile, type Facts, type Format } from '../image/format.ts'
import type { Check, Described, Inspector, Limits } from './inspector.ts'
import { recognise } from './recognise.ts'
import { decisionLength } from './table.ts'
import { headLength, Missing, Windows } from './windows.ts'

/**
 * The bytes are judged when so many have come, however they were cut into chunks, so that any chunking gives the same
 * answer. Most of what is refused is refused at the first; the headers of a VHDX are there at the second, its region tables
 * and the anchor of UDF at the third, the descriptor of a VMDK at the fourth, unless it is
 * longer than anyone's.
 */
const milestones = [decisionLength, 262_144, 655_360, headLength / 2, headLength]

export type Glimpse = Omit<Described, 'unpackedBytes'> & {
  /** Null where the file itself is the disk and its length is not known. */
  readonly unpackedBytes: number | null
}

/**
 * Finds out what a file is while it passes. It holds its windows and nothing else; of a file that is kept as it passes not
 * even the head, which is shown whenever it is looked at.
 */
export class Inspection {
  readonly #limits: Limits
  readonly #declared: number | null
  readonly #windows: Windows
  #passed = 0
  #inspector: Inspector | null = null

  /** `size` is the file's length in bytes when it is known before; then a table behind the end is seen early. */
  constructor(limits: Limits, size: number | null, head: 'kept' | 'shown' = 'kept') {
    this.#limits = limits
    this.#declared = size
    this.#windows = new Windows(size, head)
  }

  /**
   * The bytes that follow. They are copied; the caller may use the memory again.
   * @throws Flaw as soon as the bytes so far prove one
   */
  push(chunk: Uint8Array): void {
    let rest = chunk
    for (let due = this.due; due !== null; due = this.due) {
      const room = due - this.received
      if (rest.length < room) break
      this.#windows.push(rest.subarray(0, room))
      rest = rest.subarray(room)
      this.#next()
    }
    this.#windows.push(rest)
  }

  /** Where the bytes are looked at next, as a position in the file; null once the head has passed. */
  get due(): number | null {
    return milestones[this.#passed] ?? null
  }

  /** The bytes that follow, at most those before `due`, of a file whose head is shown. */
  pass(chunk: Uint8Array): void {
    if (this.received + chunk.length > (this.due ?? Infinity)) throw new Bug('a look was left out')
    this.#windows.push(chunk)
  }

  /**
   * All before `due` have passed: a look at them.
   * @throws Flaw when they prove one
   */
  look(head: Buffer): void {
    this.#windows.show(head)
    this.#next()
    this.#windows.hide()
  }

  #next(): void {
    this.#passed += 1
    this.#judge()
  }

  /**
   * The format, once the start of the file decides it, which is well within the first MiB; null before. A file that is
   * `raw` by its start may at its end still turn out to be of a format that is known by its end.
   */
  get format(): Format | null {
    return this.#inspector?.format ?? null
  }

  /** Bytes that were pushed or skipped. */
  get received(): number {
    return this.#windows.received
  }

  /** Those of them that the head holds. */
  get headReceived(): number {
    return this.#windows.headReceived
  }

  /** Places behind what was pushed that the verdict needs, beside the last 64 KiB; known once the head has passed. */
  wanted(): readonly { readonly offset: number; readonly length: number }[] {
    return this.#windows.wanted()
  }

  /** Passes over bytes behind the head that are neither wanted nor among the last 64 KiB. */
  skip(to: number): void {
    this.#windows.skip(to)
  }

  /** What is known of a file whose rest nobody reads; null while its start does not decide. */
  soFar(): Glimpse | null {
    const inspector = this.#inspector
    if (!inspector) return null
    const { size, received } = this.#windows
    const facts = this.#orMissing(inspector, () =>
      inspector.describe(this.#windows, size ?? received),
    )
    if (!facts) return null
    const unknown = size === null && isItsFile(facts.format)
    return { ...facts, unpackedBytes: unknown ? null : facts.unpackedBytes }
  }

  /**
   * All bytes were pushed, passed or skipped: the last word.
   * @param head what the file begins with, where it is shown
   * @throws Flaw
   */
  finish(head: Buffer | null = null): Facts {
    if (head) this.#windows.show(head)
    this.#windows.end()
    const size = this.#windows.received
    if (size === 0) {
      throw new Flaw('NOT_AN_IMAGE', 'the file is empty; send a disk image or an ISO')
    }
    if (this.#declared !== null && this.#declared !== size) {
      throw new Flaw(
        'SIZE_MISMATCH',
        `the file should have ${this.#declared} bytes, but ${size} came; send it again`,
      )
    }
    return { ...this.#judge().describe(this.#windows, size), allocatedBytes: null }
  }

  #judge(): Inspector {
    const inspector = recognise(this.#windows)
    this.#inspector = inspector
    for (const check of inspector.checks) this.#run(inspector, check)
    this.#lookAhead(inspector)
    return inspector
  }

  #run(inspector: Inspector, check: Check): void {
    const problem = this.#orMissing(inspector, () => check.problem(this.#windows, this.#limits))
    if (problem !== null) throw new Flaw(check.code, problem)
  }

  #lookAhead(inspector: Inspector): void {
    const regions = this.#orMissing(inspector, () => inspector.ahead?.(this.#windows) ?? [])
    for (const { offset, length } of regions ?? []) this.#windows.want(offset, length)
  }

  /** Null while bytes are still to come; a header that the file is too short for is a flaw. */
  #orMissing<Answer>(inspector: Inspector, ask: () => Answer): Answer | null {
    try {
      return ask()
    } catch (error) {
      if (!(error instanceof Missing)) throw error
      if (error.beyondEnd) throw tooShort(inspector, this.#windows)
      if (this.#windows.ended) throw error
      return null
    }
  }
}

function tooShort({ title }: Inspector, { size }: Windows): Flaw {
  return new Flaw(
    'INVALID_HEADER',
    `the file ends after ${size} bytes, inside what its ${title} header describes; it was cut short`,
  )
}
