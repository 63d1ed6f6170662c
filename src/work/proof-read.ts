import { Writable } from 'node:stream'
import { errno, Failure } from '../errors.ts'
import { algorithmOf } from '../image/digest.ts'
import type { Format } from '../image/format.ts'
import { headSize, layerTail, readLayerHead } from '../pack/tar-frame.ts'
import { openDigester, type Digester } from '../store/digester.ts'
import type { Stat, Store } from '../store/store.ts'

/** What is wrong with a blob. */
export type Fault = {
  /** Ends a sentence about it: "is missing". */
  readonly text: string
  /** Its bytes are there, and the disk does not give them. */
  readonly isUnread: boolean
}

/** A blob, and what it has to hold where it is the layer of an image. */
export type Expected = Stat & {
  readonly disk?: { readonly format: Format; readonly size: number } | null
}

/** Waits until so many bytes may be read. */
export type Take = (bytes: number, signal: AbortSignal) => Promise<void>

/** By these a disk says that it has lost what was written there; every other error may pass. */
const lostBytes = new Set(['EIO', 'EBADMSG'])

/**
 * Whether a blob is there and has its size.
 * @throws Outage, or whatever the store fails with, when it cannot tell: that says nothing about the blob
 */
export async function absenceOf(
  { digest, size }: Stat,
  store: Store,
  signal: AbortSignal,
): Promise<Fault | null> {
  const found = await orFault(() => store.stat(digest))
  if (isFault(found)) return found
  if (found?.size === size) return null
  // A store that is not there at all has no blob either.
  await store.probe(signal)
  return found ? otherSize(found.size, size) : missing
}

/**
 * Reads a blob to its end and compares size and digest, and of a layer the frame around its disk.
 * @throws as `absenceOf`; the reason of the signal
 */
export async function proofRead(
  blob: Expected,
  store: Store,
  take: Take,
  signal: AbortSignal,
): Promise<Fault | null> {
  const absence = await absenceOf(blob, store, signal)
  if (absence) return absence
  const read = await orFault(() => readAll(blob, store, take, signal))
  signal.throwIfAborted()
  if (!isFault(read)) return difference(blob, read)
  return read === missing ? await absenceOf(blob, store, signal) : read
}

type Read = {
  readonly size: number
  readonly digest: string
  readonly head: Buffer
  readonly tail: Buffer
}

function difference({ digest, size, disk }: Expected, read: Read): Fault | null {
  if (read.size !== size) return otherSize(read.size, size)
  if (read.digest !== digest) {
    return fault(`is damaged: its bytes have the digest ${read.digest}`)
  }
  return disk ? otherFrame(disk, read) : null
}

/** The bytes are those that were written, so the layer has always been so, or the catalog is wrong about it. */
function otherFrame(disk: NonNullable<Expected['disk']>, { head, tail, size }: Read): Fault | null {
  const said = readLayerHead(head, size)
  if (!said) return fault('is damaged: it does not begin as the layer of an image')
  if (said.diskSize !== disk.size || said.format !== disk.format) {
    return fault(`is damaged: it says that it holds a ${said.format} of ${said.diskSize} bytes`)
  }
  const end = layerTail(disk.size)
  return tail.subarray(tail.length - end.length).equals(end)
    ? null
    : fault('is damaged: it does not end as the layer of an image')
}

async function readAll(
  { digest }: Stat,
  store: Store,
  take: Take,
  signal: AbortSignal,
): Promise<Read> {
  const algorithm = algorithmOf(digest)
  const digester = openDigester([algorithm])
  try {
    const ends = new Ends()
    await using opened = await store.open(digest, null, signal)
    const size = await opened.sendTo(hashing(digester, ends, take, signal))
    const hashes = await digester.finish()
    return { size, digest: `${algorithm}:${hashes[algorithm]}`, ...ends.both() }
  } finally {
    digester.drop()
  }
}

type Done = (error?: Error | null) => void

/** Takes each piece to its end before it asks for the next one. */
function hashing(digester: Digester, ends: Ends, take: Take, signal: AbortSignal): Writable {
  const see = async (piece: Buffer, done: Done) => {
    try {
      await take(piece.length, signal)
      ends.see(piece)
      await digester.update(piece)
    } catch (error) {
      return done(asError(error))
    }
    done()
  }
  const sink = new Writable({
    write(piece: Buffer, _encoding, done) {
      void see(piece, done)
    },
  })
  // Whoever writes is told of it by the callback.
  return sink.on('error', () => {})
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('reading was ended', { cause: reason })
}

/** No tail of a layer is longer. */
const tailSize = layerTail(1).length

/** The first and the last bytes of what passes. */
class Ends {
  #head: Buffer = Buffer.alloc(0)
  #tail: Buffer = Buffer.alloc(0)

  see(piece: Buffer): void {
    const left = headSize - this.#head.length
    if (left > 0) this.#head = Buffer.concat([this.#head, piece.subarray(0, left)])
    const last = piece.subarray(-tailSize)
    this.#tail = Buffer.concat([this.#tail, last]).subarray(-tailSize)
  }

  both() {
    return { head: this.#head, tail: this.#tail }
  }
}

const missing: Fault = { text: 'is missing', isUnread: false }

function otherSize(found: number, size: number): Fault {
  return fault(`is damaged: it has ${found} bytes where ${size} were stored`)
}

function fault(text: string): Fault {
  return { text, isUnread: false }
}

function isFault(value: object | null): value is Fault {
  return value !== null && 'isUnread' in value
}

/** What the work gives, or the fault that its error is. */
async function orFault<Value>(work: () => Promise<Value>): Promise<Value | Fault> {
  try {
    return await work()
  } catch (error) {
    const code = errno(error) ?? ''
    if (lostBytes.has(code)) return { text: `cannot be read (${code})`, isUnread: true }
    if (error instanceof Failure && error.code === 'BLOB_UNKNOWN') return missing
    throw error
  }
}
