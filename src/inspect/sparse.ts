import type { Facts } from '../image/format.ts'
import { Inspection } from './inspection.ts'
import type { Limits } from './inspector.ts'
import type { WholeFile } from './survey.ts'
import { headLength, tailLength } from './windows.ts'

/** Bytes `start` up to, not including, `end`. */
export type Stretch = { readonly start: number; readonly end: number }

/**
 * The same verdict as over all bytes in order, with only those read that it rests on: the first 2 MiB, the last 64 KiB and
 * the few places to which a header points.
 * @throws Flaw; what reading fails with
 */
export async function inspectSparsely(
  file: WholeFile,
  limits: Limits,
  signal: AbortSignal,
): Promise<Facts> {
  const inspection = new Inspection(limits, file.size)
  inspection.push(await file.read(0, headLength, signal))
  await pushRest(inspection, file, signal)
  return inspection.finish()
}

/** Reads what an inspection needs of a file whose head it has seen. */
export async function pushRest(
  inspection: Inspection,
  file: WholeFile,
  signal: AbortSignal,
): Promise<void> {
  for (const { start, end } of needed(inspection, file.size)) {
    inspection.skip(start)
    inspection.push(await file.read(start, end - start, signal))
  }
}

/** Stretches behind the head, in order and apart from each other. */
export function needed(inspection: Inspection, size: number): readonly Stretch[] {
  const places = inspection.wanted().map(({ offset, length }) => ({
    start: Math.max(offset, inspection.received),
    end: Math.min(offset + length, size),
  }))
  const tail = { start: Math.max(inspection.received, size - tailLength), end: size }
  const stretches = [...places, tail].filter(({ start, end }) => start < end)
  return joined(stretches.sort((a, b) => a.start - b.start))
}

function joined(sorted: readonly Stretch[]): readonly Stretch[] {
  const apart: Stretch[] = []
  for (const next of sorted) {
    const last = apart.at(-1)
    if (last && next.start <= last.end) {
      apart[apart.length - 1] = { start: last.start, end: Math.max(last.end, next.end) }
    } else apart.push(next)
  }
  return apart
}
