import type { Facts } from '../image/format.ts'
import type { Inspection } from '../inspect/inspection.ts'
import { headSize, layerHead, layerTail } from '../pack/tar-frame.ts'
import type { Digester } from '../store/digester.ts'
import type { Staging } from '../store/store.ts'
import { Gate } from './gate.ts'
import type { Journey } from './journeys.ts'
import { free, Passing } from './passing.ts'

export type Framed = {
  /** Bytes of the disk. */
  readonly size: number
  readonly facts: Facts
}

type Disk = {
  readonly bytes: AsyncIterable<Uint8Array>
  /** Null when only the end will tell. */
  readonly size: number | null
  /** Its head is shown to it. */
  readonly inspection: Inspection
  readonly digester: Digester
  readonly journey: Journey
}

/**
 * Puts the disk into its layer while it passes: head, disk, tail. The head names format and size; what is known of them
 * after the first windows is written first, and the head is written once more when the end tells something else. What is
 * staged already, of an earlier transfer, is looked at again and not written again.
 */
export async function frame(disk: Disk, staging: Staging, signal: AbortSignal): Promise<Framed> {
  const { inspection } = disk
  const passing = new Passing(disk.bytes, inspection)
  try {
    const { head, early } =
      staging.size === 0
        ? await begin(disk, passing, staging, signal)
        : await goOn(disk, passing, staging, signal)
    const finish = (head: Buffer) => inspection.finish(head)
    const facts = early ?? (await look(disk, staging, finish, signal))
    const framed = { size: staging.size - headSize, facts }
    const right = layerHead(framed.facts.format, framed.size)
    if (!head?.equals(right)) await staging.amend(right)
    await staging.append([layerTail(framed.size)], signal)
    return framed
  } finally {
    await passing.close()
  }
}

/** What comes before the first look is held back: only then is the format known, and the layer's head names it. */
async function begin(disk: Disk, passing: Passing, staging: Staging, signal: AbortSignal) {
  const { inspection, digester } = disk
  const start = await passing.whole()
  const early = passing.isOver ? inspection.finish(start) : null
  if (!early) inspection.look(start)
  const size = early ? inspection.received : disk.size
  const format = early?.format ?? inspection.format
  const head = size === null || format === null ? null : layerHead(format, size)
  await staging.append([head ?? Buffer.alloc(headSize)], signal)
  await staging.append([start], signal, [digester])
  free(start)
  await takeAll(disk, passing, staging, signal)
  return { head, early }
}

/** Enough for a hash to be the bottleneck. */
const pieceSize = 1024 * 1024

async function goOn(disk: Disk, passing: Passing, staging: Staging, signal: AbortSignal) {
  const { inspection, digester } = disk
  for (let at = headSize; at < staging.size; at = headSize + inspection.received) {
    const room = (inspection.due ?? Infinity) - inspection.received
    const piece = await staging.read(at, Math.min(pieceSize, room), signal)
    inspection.pass(piece)
    await digester.update(piece)
    await lookIfDue(disk, staging, signal)
  }
  const head = await staging.read(0, headSize, signal)
  await takeAll(disk, passing, staging, signal)
  return { head, early: null }
}

async function takeAll(disk: Disk, passing: Passing, staging: Staging, signal: AbortSignal) {
  while (!passing.isOver) {
    await staging.append(passing.stretch(), signal, [disk.digester])
    await lookIfDue(disk, staging, signal)
  }
}

async function lookIfDue(disk: Disk, staging: Staging, signal: AbortSignal): Promise<void> {
  const { inspection } = disk
  if (inspection.received !== inspection.due) return
  await look(disk, staging, (head) => inspection.look(head), signal)
}

/** Each takes 2 MiB of memory for as long as it takes to read them; no sender is waited for meanwhile. */
const looks = new Gate(4)

/** Shows what the disk begins with, out of what is staged. */
async function look<Result>(
  { inspection, journey }: Disk,
  staging: Staging,
  see: (head: Buffer) => Result,
  signal: AbortSignal,
): Promise<Result> {
  using looking = journey.enter('inspect')
  void looking
  using turn = await looks.enter(signal)
  void turn
  const head = await staging.read(headSize, inspection.headReceived, signal)
  try {
    return see(head)
  } finally {
    free(head)
  }
}
