import { readFile } from 'node:fs/promises'
import { Failure } from '../../src/errors.ts'
import { survey, type WholeFile } from '../../src/inspect/survey.ts'
import type { Member } from '../fixtures/corpus/member.ts'
import {
  answerOf,
  firstLook,
  firstPiece,
  load,
  sizeOf,
  wholeOf,
  type Answer,
  type Pieces,
} from './in-memory.ts'
import { examinePieces, patience } from './judge.ts'
import { Random, seedOf } from './random.ts'

export type FlipReport = {
  readonly answers: ReadonlyMap<Answer, number>
  /** Milliseconds of the slowest run. */
  readonly slowest: number
  /** Bytes of memory outside the heap that the first look took at most. */
  readonly memory: number
  /** Bytes that the second look read at once at most. */
  readonly read: number
}

/** Whether no thread is started for each of its runs, as xz and bzip2 need one, which takes longer than all else. */
export function isQuick({ name }: Member): boolean {
  return !/\.(?:xz|bz2|xz\.gz|zst\.bz2)$/.test(name)
}

/** A run that took longer is taken again, some times: the machine may have been busy with something else. */
const long = 500
const tries = 5

/** Spoils a member's bytes in so many ways and tells what came of it. A crash is thrown with what led to it. */
export async function flip(
  member: Member,
  path: string,
  runs: number,
  seed: number,
): Promise<FlipReport> {
  const isWrapped = member.name.startsWith('wrapped-')
  const pieces = isWrapped ? [await readFile(path)] : await load(path, member.ends)
  const random = new Random(seedOf(member.name, seed))
  const places = placesOf(pieces)
  const answers = new Map<Answer, number>()
  const most = { slowest: 0, memory: 0, read: 0 }
  for (let run = 0; run < runs; run += 1) {
    const flips = flipsIn(places, random)
    turn(pieces, flips)
    try {
      const took = await timed(pieces, isWrapped, answers)
      most.slowest = Math.max(most.slowest, took.time)
      most.memory = Math.max(most.memory, took.memory)
      most.read = Math.max(most.read, took.read)
    } catch (cause) {
      throw new Error(`${member.name}, run ${run}: ${JSON.stringify(flips)}`, { cause })
    }
    turn(pieces, flips)
  }
  return { answers, ...most }
}

async function timed(pieces: Pieces, isWrapped: boolean, answers: Map<Answer, number>) {
  const look = isWrapped ? unwrapped : twice
  let best = await look(pieces)
  answers.set(best.answer, (answers.get(best.answer) ?? 0) + 1)
  for (let left = tries; best.time >= long && left > 0; left -= 1) {
    const again = await look(pieces)
    if (again.time < best.time) best = again
  }
  return best
}

async function unwrapped(pieces: Pieces) {
  const started = performance.now()
  const answer = await answerOf(examinePieces(pieces, sizeOf(pieces)))
  return { answer, time: performance.now() - started, memory: 0, read: 0 }
}

async function twice(pieces: Pieces) {
  const before = process.memoryUsage().arrayBuffers
  const started = performance.now()
  const found = firstLook(pieces, sizeOf(pieces))
  const memory = process.memoryUsage().arrayBuffers - before
  if (found instanceof Failure) {
    return { answer: found.code, time: performance.now() - started, memory, read: 0 }
  }
  const inMemory = wholeOf(pieces)
  let longest = 0
  const whole: WholeFile = {
    size: inMemory.size,
    read(offset, length, signal) {
      longest = Math.max(longest, length)
      return inMemory.read(offset, length, signal)
    },
  }
  const answer = await answerOf(survey(found.format, whole, AbortSignal.timeout(patience)))
  return { answer, time: performance.now() - started, memory, read: longest }
}

type Span = readonly [from: number, to: number]

/** The places of headers in all formats: most of what can be spoilt stands there. */
const headers: readonly [Span, ...Span[]] = [
  [0, 512],
  [0, 4096],
  [0x8000, 0x9800],
  [0x1_0000, 0x1_0050],
  [0x2_0000, 0x2_0050],
  [0x3_0000, 0x3_0080],
  [0x8_0000, 0x8_0200],
  [0x20_0000, 0x20_0100],
  [0x21_0000, 0x21_0040],
  [0x30_0000, 0x30_0100],
  [0x31_0000, 0x31_0040],
]
const mostFlips = 4
/** Bits are flipped in so much of the file, which holds the metadata of a VHDX, too. */
const flipped = firstPiece

type Flip = { readonly piece: number; readonly at: number; readonly bit: number }

function flipsIn(places: Places, random: Random): readonly Flip[] {
  return Array.from({ length: 1 + random.below(mostFlips) }, () => {
    const bit = 1 << random.below(8)
    if (random.below(8) > 0) return { piece: 0, at: place(places, random), bit }
    const { piece, length } = places.last
    return { piece, at: length - 1 - random.below(Math.min(length, footers)), bit }
  })
}

/** Flips the bits, or flips them back. */
function turn(pieces: Pieces, flips: readonly Flip[]): void {
  for (const { piece, at, bit } of flips) {
    const bytes = pieces[piece]
    if (bytes) bytes[at] = (bytes[at] ?? 0) ^ bit
  }
}

/** The footers of all formats lie in so many of the last bytes. */
const footers = 1536

type Places = {
  readonly length: number
  readonly written: readonly [number, ...number[]]
  readonly last: { readonly piece: number; readonly length: number }
}

/** Where something else than zeros stands, up to so many places: the tables, and a bit of the data. */
const mostWritten = 65_536

function placesOf(pieces: Pieces): Places {
  const [head = Buffer.alloc(0)] = pieces
  const length = Math.min(head.length, flipped)
  const written: number[] = []
  for (let at = 0; at < length && written.length < mostWritten; at += 1) {
    if (head[at] !== 0) written.push(at)
  }
  const [first = 0, ...others] = written
  const piece = pieces.findLastIndex(({ length }) => length > 0)
  const last = { piece, length: pieces[piece]?.length ?? 0 }
  return { length, written: [first, ...others], last }
}

/** In the first piece: half of them in headers, a quarter where something is written, and a quarter anywhere. */
function place({ length, written }: Places, random: Random): number {
  const [from, to] = random.pick(headers)
  if (random.below(2) === 0 && from < length) {
    return from + random.below(Math.min(to, length) - from)
  }
  return random.below(2) === 0 ? random.pick(written) : random.below(length)
}

/** Counts of all reports together, and what was most in any. */
export function together(reports: readonly FlipReport[]): FlipReport {
  const answers = new Map<Answer, number>()
  for (const report of reports) {
    for (const [answer, count] of report.answers) {
      answers.set(answer, (answers.get(answer) ?? 0) + count)
    }
  }
  const most = (of: (report: FlipReport) => number) => Math.max(0, ...reports.map(of))
  return {
    answers,
    slowest: most(({ slowest }) => slowest),
    memory: most(({ memory }) => memory),
    read: most(({ read }) => read),
  }
}

/** A line of a table for people. */
export function told({ answers, slowest, memory, read }: FlipReport) {
  const mebibytes = (bytes: number) => Math.round((bytes / 1_048_576) * 10) / 10
  return {
    ...Object.fromEntries([...answers].sort(([one], [other]) => one.localeCompare(other))),
    'slowest (ms)': Math.round(slowest),
    'memory (MiB)': mebibytes(memory),
    'read (MiB)': mebibytes(read),
  }
}
