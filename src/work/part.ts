import { Readable } from 'node:stream'
import { Refusal } from '../errors.ts'
import type { Checksums } from '../image/data-source.ts'
import { openLocalDigester, type Digester } from '../store/digester.ts'
import type { Staging, Store } from '../store/store.ts'
import { algorithmsOf, mismatch } from './checksums.ts'
import type { Room } from './room.ts'

/** A part of a file that was held against its checksums. Its bytes go when it is disposed of. */
export type Part = AsyncDisposable & { readonly body: Readable; readonly size: number }

/**
 * Takes in the part of a file that one request brings, and lets nothing of it pass before its checksums were seen to hold.
 * @param most bytes that may come
 * @throws Refusal PART_MISMATCH; Outage STORAGE_FULL; what the body fails with
 */
export async function checkedPart(
  body: Readable,
  checksums: Checksums,
  { id, store, room }: { readonly id: string; readonly store: Store; readonly room: Room },
  signal: AbortSignal,
): Promise<Part> {
  using claim = await room.claim(null)
  await store.discard(id)
  await using undo = new AsyncDisposableStack()
  const staging = undo.use(await store.stage({ id, amended: true }))
  const digester = openLocalDigester(algorithmsOf(checksums))
  const tap = (chunk: Uint8Array) => {
    claim.received += chunk.length
    room.checkSize(claim.received)
    return room.check(0, { own: claim })
  }
  await staging.append(hashed(body, digester), signal, [], tap)
  const wrong = mismatch(await digester.finish(), checksums)
  if (wrong) throw damaged(wrong.algorithm)
  const held = undo.move()
  return {
    body: Readable.from(pieces(staging, signal), { objectMode: true, highWaterMark: 1 }),
    size: staging.size,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

function damaged(algorithm: string): Refusal {
  return new Refusal(
    'PART_MISMATCH',
    `the bytes of this request do not have the ${algorithm} that was sent with them; nothing of them was kept, send them again`,
  )
}

const pieceSize = 1024 * 1024

async function* pieces(staging: Staging, signal: AbortSignal) {
  for (let at = 0; at < staging.size; at += pieceSize) yield staging.read(at, pieceSize, signal)
}

async function* hashed(body: Readable, digester: Digester) {
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) continue
    await digester.update(chunk)
    yield chunk
  }
}
