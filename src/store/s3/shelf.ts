import { z } from 'zod'
import { algorithmOf, hexOf, isDigest, type Digest } from '../../image/digest.ts'
import { InTurn } from '../in-turn.ts'
import type { Stat } from '../store.ts'
import type { Bucket } from './bucket.ts'
import { Holds } from './holds.ts'
import { parsedJson } from './parsed-json.ts'
import { pieceSchema, sizeOf, type Piece } from './piece.ts'

const linkSchema = z.object({ size: z.int().min(0), pieces: z.array(pieceSchema) })

/** Where a blob lies: as a whole under its digest, or in pieces that its record names. */
export type Place =
  | { readonly kind: 'whole'; readonly key: string }
  | { readonly kind: 'pieces'; readonly size: number; readonly pieces: readonly Piece[] }

/** Places that are remembered, some hundred bytes each. */
const remembered = 10_000

export const wholesPrefix = 'blobs/'
export const linksPrefix = 'links/'

/** Blobs by digest: `blobs/<algorithm>/<hex>` is one, `links/<algorithm>/<hex>` says where its pieces lie. */
export class Shelf {
  readonly #bucket: Bucket
  readonly #turns = new InTurn()
  readonly #places = new Map<Digest, Place>()
  readonly holds: Holds

  /** @param lost told of what could not be removed once its last reader had closed it */
  constructor(bucket: Bucket, lost: (error: unknown, key: string) => void) {
    this.#bucket = bucket
    this.holds = new Holds((key) => bucket.remove(key), lost)
  }

  /** As remembered, else as the bucket says. */
  async find(digest: Digest): Promise<Place | null> {
    return this.#places.get(digest) ?? (await this.look(digest))
  }

  /** As the bucket says. */
  async look(digest: Digest): Promise<Place | null> {
    const pieced = await this.#pieced(digest)
    const place = pieced?.pieces.length ? pieced : ((await this.#whole(digest)) ?? pieced)
    this.#remember(digest, place)
    return place
  }

  /** What is really there: null when something is missing, another size when something was cut. */
  async stat(digest: Digest): Promise<Stat | null> {
    const known = this.#places.get(digest)
    const size = known ? await this.#measure(known) : null
    if (known && size !== null && (known.kind === 'whole' || size === known.size)) {
      return { digest, size }
    }
    const place = await this.look(digest)
    const found = place && (await this.#measure(place))
    return found === null ? null : { digest, size: found }
  }

  async putWhole(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#turns.run(digest, async () => {
      const former = await this.#pieced(digest)
      const key = wholeKey(digest)
      await this.#bucket.put(key, bytes)
      this.holds.spare(key)
      this.#remember(digest, { kind: 'whole', key })
      if (former) await this.#removePieced(digest, former.pieces)
    })
  }

  /** The one act that makes them readable. What lay under the digest before is removed, which repairs it when it was damaged. */
  async putPieces(digest: Digest, pieces: readonly Piece[]): Promise<void> {
    await this.#turns.run(digest, async () => {
      const former = await this.look(digest)
      const size = sizeOf(pieces)
      await this.#bucket.put(linkKey(digest), Buffer.from(JSON.stringify({ size, pieces })))
      this.#remember(digest, { kind: 'pieces', size, pieces })
      if (former?.kind === 'whole') await this.holds.remove(former.key)
      if (former?.kind === 'pieces') await this.#removeObjects(former.pieces, pieces)
    })
  }

  /** Whether the record of a digest names these pieces. */
  async names(digest: Digest, pieces: readonly Piece[]): Promise<boolean> {
    const link = await this.#pieced(digest)
    const keys = new Set(link?.pieces.map(({ key }) => key))
    return pieces.some(({ key }) => keys.has(key))
  }

  /** Whether there was something to remove. */
  async remove(digest: Digest): Promise<boolean> {
    return await this.#turns.run(digest, async () => {
      const pieced = await this.#pieced(digest)
      const whole = await this.#whole(digest)
      this.#places.delete(digest)
      if (pieced) await this.#removePieced(digest, pieced.pieces)
      if (whole) await this.holds.remove(whole.key)
      return pieced !== null || whole !== null
    })
  }

  async #pieced(digest: Digest) {
    const bytes = await this.#bucket.read(linkKey(digest))
    return bytes && { kind: 'pieces' as const, ...linkOf(bytes) }
  }

  async #whole(digest: Digest) {
    const key = wholeKey(digest)
    if (this.holds.isDoomed(key)) return null
    const found = await this.#bucket.head(key)
    return found && { kind: 'whole' as const, key }
  }

  async #removePieced(digest: Digest, pieces: readonly Piece[]): Promise<void> {
    await this.#bucket.remove(linkKey(digest))
    await this.#removeObjects(pieces, [])
  }

  async #removeObjects(pieces: readonly Piece[], kept: readonly Piece[]): Promise<void> {
    const keys = new Set(pieces.map(({ key }) => key))
    for (const { key } of kept) keys.delete(key)
    for (const key of keys) await this.holds.remove(key)
  }

  async #measure(place: Place): Promise<number | null> {
    if (place.kind === 'whole') return (await this.#bucket.head(place.key))?.size ?? null
    let size = 0
    for (const piece of place.pieces) {
      const found = await this.#bucket.head(piece.key)
      if (!found) return null
      size += Math.min(piece.size, Math.max(0, found.size - piece.start))
    }
    return size
  }

  #remember(digest: Digest, place: Place | null): void {
    this.#places.delete(digest)
    if (place) this.#places.set(digest, place)
    const [oldest] = this.#places.keys()
    if (oldest !== undefined && this.#places.size > remembered) this.#places.delete(oldest)
  }
}

export type Link = Readonly<z.infer<typeof linkSchema>>

/** No pieces where it cannot be read: the blob is damaged then, and comes to its place again as any damaged one. */
export function linkOf(bytes: Buffer): Link {
  return linkSchema.safeParse(parsedJson(bytes)).data ?? { size: 0, pieces: [] }
}

/** Null for a key that is no digest's. */
export function digestOfKey(key: string): Digest | null {
  const [, algorithm, hex, ...more] = key.split('/')
  const digest = `${algorithm}:${hex}`
  return more.length === 0 && isDigest(digest) ? digest : null
}

function wholeKey(digest: Digest): string {
  return `${wholesPrefix}${algorithmOf(digest)}/${hexOf(digest)}`
}

function linkKey(digest: Digest): string {
  return `${linksPrefix}${algorithmOf(digest)}/${hexOf(digest)}`
}
