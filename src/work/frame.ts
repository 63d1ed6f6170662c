import type { Facts } from '../image/format.ts'
import type { Inspection } from '../inspect/inspection.ts'
import { headSize, layerHead, layerTail } from '../pack/tar-frame.ts'
import type { Digester } from '../store/digester.ts'
import type { Staging } from '../store/store.ts'

export type Framed = {
  /** Bytes of the disk. */
  readonly size: number
  readonly facts: Facts
}

type Disk = {
  readonly bytes: AsyncIterable<Uint8Array>
  /** Null when only the end will tell. */
  readonly size: number | null
  readonly inspection: Inspection
  readonly digester: Digester
}

/**
 * Puts the disk into its layer while it passes: head, disk, tail. The head names format and size; what is known of them
 * after the first windows is written first, and the head is written once more when the end tells something else. What is
 * staged already, of an earlier transfer, is looked at again and not written again.
 */
export async function frame(disk: Disk, staging: Staging, signal: AbortSignal): Promise<Framed> {
  const { inspection } = disk
  const passing = inspected(disk.bytes, inspection)
  try {
    const { head, early } =
      staging.size === 0
        ? await begin(disk, passing, staging, signal)
        : await goOn(disk, passing, staging, signal)
    const framed = { size: staging.size - headSize, facts: early ?? inspection.finish() }
    const right = layerHead(framed.facts.format, framed.size)
    if (!head?.equals(right)) await staging.amend(right)
    await staging.append([layerTail(framed.size)], signal)
    return framed
  } finally {
    await passing.return(undefined)
  }
}

async function begin(disk: Disk, passing: Passing, staging: Staging, signal: AbortSignal) {
  const { inspection, digester } = disk
  const start = await firstWindows(passing, inspection)
  const early = start.ended ? inspection.finish() : null
  const size = start.ended ? start.size : disk.size
  const format = early?.format ?? inspection.format
  const head = size === null || format === null ? null : layerHead(format, size)
  await staging.append([head ?? Buffer.alloc(headSize)], signal)
  await staging.append(chain(start.chunks, passing), signal, [digester])
  return { head, early }
}

/** Enough for a hash to be the bottleneck. */
const pieceSize = 1024 * 1024

async function goOn(disk: Disk, passing: Passing, staging: Staging, signal: AbortSignal) {
  const { inspection, digester } = disk
  for (let at = headSize; at < staging.size; at += pieceSize) {
    const piece = await staging.read(at, pieceSize, signal)
    inspection.push(piece)
    await digester.update(piece)
  }
  const head = await staging.read(0, headSize, signal)
  await staging.append(chain([], passing), signal, [digester])
  return { head, early: null }
}

type Passing = AsyncGenerator<Uint8Array, void, undefined>

async function* inspected(bytes: AsyncIterable<Uint8Array>, inspection: Inspection): Passing {
  for await (const chunk of bytes) {
    inspection.push(chunk)
    yield chunk
  }
}

/** Holds back what has to be seen before the format is known: the inspection's windows at most. */
async function firstWindows(passing: Passing, inspection: Inspection) {
  const chunks: Uint8Array[] = []
  let size = 0
  while (inspection.format === null) {
    const { value, done } = await passing.next()
    if (done) return { chunks, size, ended: true }
    chunks.push(value)
    size += value.length
  }
  return { chunks, size, ended: false }
}

/** The writer copies a chunk before it asks for the next; its memory is then given back at once. */
async function* chain(first: Uint8Array[], rest: Passing): Passing {
  while (first.length > 0) {
    const chunk = first.shift()
    if (chunk) yield chunk
  }
  for await (const chunk of rest) {
    yield chunk
    free(chunk)
  }
}

function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0)
}
