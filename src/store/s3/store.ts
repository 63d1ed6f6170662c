import { randomUUID } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { Outage, Refusal } from '../../errors.ts'
import type { Digest } from '../../image/digest.ts'
import { makeFolders } from '../folders.ts'
import type {
  Aside,
  ByteRange,
  Linker,
  Listed,
  Opened,
  ResumeOptions,
  StageOptions,
  Staging,
  Stat,
  Store,
  Stray,
} from '../store.ts'
import { S3Body } from './body.ts'
import type { Bucket } from './bucket.ts'
import { BufferPool } from './buffer-pool.ts'
import { Intake } from './intake.ts'
import { partSizeOf } from '../../image/part-plan.ts'
import { stretchesOf, type Stretch } from './piece.ts'
import { S3Records } from './records.ts'
import { digestOfKey, Shelf, wholesPrefix, type Place } from './shelf.ts'
import { S3Staging } from './staging.ts'
import { linksOf, straysIn } from './sweep.ts'
import { removeTails, scratchStrays, Tail, tailed } from './tail.ts'
import { discardState, mostPieces, stateOf, type State } from './staged-state.ts'
import { Uploaded } from './uploaded.ts'

export type S3Options = {
  readonly bucket: Bucket
  /** A folder of this store alone. */
  readonly scratch: string
  /** Bytes of memory for parts on their way, of all transfers together. */
  readonly buffer: number
  /** Signs a URL at which clients reach an object; null where they reach none. */
  readonly sign: ((key: string, lifetime: number) => Promise<URL>) | null
  /** Names a key for people. */
  readonly nameOf: (key: string) => string
  /** Told of what could not be removed once its last reader had closed it. */
  readonly lost: (error: unknown, key: string) => void
}

/**
 * Blobs in a bucket. Few bytes lie under their digest; many are uploaded in parts under a random key while they come, and
 * `links/<algorithm>/<hex>` says where they lie: nothing is copied at the end.
 */
export class S3Store implements Store, Linker, Aside, AsyncDisposable {
  readonly #options: S3Options
  readonly #shelf: Shelf
  readonly #pool: BufferPool
  readonly #staged = new Set<string>()
  readonly records: S3Records

  private constructor(options: S3Options) {
    this.#options = options
    this.#shelf = new Shelf(options.bucket, options.lost)
    this.#pool = new BufferPool(options.buffer)
    this.records = new S3Records(options.bucket)
  }

  /** @throws Outage STORAGE_UNAVAILABLE when the bucket is not there or not for us */
  static async open(options: S3Options): Promise<S3Store> {
    await options.bucket.probe(AbortSignal.timeout(openWithin))
    await makeFolders(options.scratch)
    return new S3Store(options)
  }

  async stat(digest: Digest): Promise<Stat | null> {
    return await this.#shelf.stat(digest)
  }

  async open(digest: Digest, range: ByteRange | null, signal: AbortSignal): Promise<Opened> {
    signal.throwIfAborted()
    const known = await this.#shelf.find(digest)
    const opened = known && (await this.#opened(digest, known, range, signal))
    if (opened) return opened
    // It may have been replaced by another instance, or before this one remembered it.
    const place = known && (await this.#shelf.look(digest))
    const again = place && (await this.#opened(digest, place, range, signal))
    if (again) return again
    if (place?.kind === 'pieces') throw damaged(digest)
    throw new Refusal('BLOB_UNKNOWN', `the blob ${digest} is not here`)
  }

  async stage(options: StageOptions = {}): Promise<Staging> {
    const { id = randomUUID(), algorithm = 'sha256', amended = false, size = null } = options
    // A crash may have left something in which nothing is to be resumed.
    if (options.id !== undefined) await this.discard(id)
    const uploaded = new Uploaded(this.#options.bucket, id, partSizeOf(size))
    const intake = this.#intake(id, uploaded, { size, aside: amended }, null)
    return this.#staging(id, { algorithm, amended, uploaded, intake })
  }

  async resume(id: string, options: ResumeOptions = {}): Promise<Staging | null> {
    const { algorithm = 'sha256', upTo = Infinity } = options
    const { bucket, scratch } = this.#options
    const state = await stateOf(bucket, id)
    if (state && (await this.#isOver(id, state))) return null
    const uploaded = state
      ? await Uploaded.resume(bucket, id, state, upTo)
      : new Uploaded(bucket, id, partSizeOf(null))
    const tail = await Tail.reopen(scratch, id, uploaded.end, upTo)
    if (!state && !tail) return null
    const intake = this.#intake(id, uploaded, { size: null, aside: false }, tail)
    return this.#staging(id, { algorithm, amended: false, uploaded, intake })
  }

  async staged(): Promise<readonly string[]> {
    const { bucket, scratch } = this.#options
    const ids = new Set([...this.#staged, ...(await tailed(scratch))])
    for await (const { key } of bucket.list('staging/')) ids.add(key.slice('staging/'.length))
    return [...ids]
  }

  async discard(id: string): Promise<void> {
    const { bucket, scratch } = this.#options
    const state = await stateOf(bucket, id)
    if (state && !(await this.#isPublished(id, state))) await discardState(bucket, id, state)
    await removeTails(scratch, id)
  }

  async remove(digest: Digest): Promise<boolean> {
    return await this.#shelf.remove(digest)
  }

  async *list(): AsyncIterable<Listed> {
    const { bucket } = this.#options
    for await (const { key, size, since } of bucket.list(wholesPrefix)) {
      const digest = this.#shelf.holds.isDoomed(key) ? null : digestOfKey(key)
      if (digest) yield { digest, size, since }
    }
    for await (const { key, size, since } of linksOf(bucket)) {
      const digest = digestOfKey(key)
      if (digest) yield { digest, size, since }
    }
  }

  async *strays(before: number): AsyncIterable<Stray> {
    const { bucket, nameOf, scratch } = this.#options
    yield* straysIn({ bucket, nameOf, holds: this.#shelf.holds }, before)
    yield* scratchStrays(scratch, before)
  }

  /** A bucket does not tell. */
  free(): Promise<null> {
    return Promise.resolve(null)
  }

  async aside() {
    const { scratch: folder } = this.#options
    const { bavail, bsize } = await statfs(folder)
    return { folder, free: bavail * bsize }
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#options.bucket.probe(signal)
  }

  async link({ digest, size }: Stat, lifetime: number, signal: AbortSignal): Promise<URL | null> {
    const { sign, bucket } = this.#options
    const place = sign && (await this.#shelf.find(digest))
    if (!sign || !place) return null
    if (place.kind === 'pieces' && place.pieces.length !== 1) return null
    const [piece] = place.kind === 'pieces' ? place.pieces : [{ key: place.key, start: 0 }]
    // Others could be sent to an object that is gone, was cut short, or is longer than the blob.
    const found = piece?.start === 0 ? await bucket.head(piece.key, signal) : null
    if (found?.size !== size) return null
    return await sign(found.key, lifetime)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shelf.holds.idle()
    this.#options.bucket[Symbol.dispose]()
  }

  #intake(
    id: string,
    uploaded: Uploaded,
    rest: { readonly size: number | null; readonly aside: boolean },
    tail: Tail | null,
  ): Intake {
    return new Intake(
      { uploaded, pool: this.#pool, scratch: this.#options.scratch, id, ...rest },
      tail,
    )
  }

  #staging(
    id: string,
    rest: Pick<
      ConstructorParameters<typeof S3Staging>[0],
      'algorithm' | 'amended' | 'uploaded' | 'intake'
    >,
  ): S3Staging {
    this.#staged.add(id)
    const { scratch } = this.#options
    const onEnd = () => void this.#staged.delete(id)
    return new S3Staging({ id, scratch, shelf: this.#shelf, onEnd, ...rest })
  }

  /** Nothing can be resumed: its bytes are a blob's, or lie in more pieces than anybody wants to read. */
  async #isOver(id: string, state: State): Promise<boolean> {
    const { bucket, scratch } = this.#options
    if (!(await this.#isPublished(id, state))) {
      if (state.pieces.length < mostPieces) return false
      await discardState(bucket, id, state)
    }
    await removeTails(scratch, id)
    return true
  }

  /** A crash, or a lost answer, between the record of the digest and the end of the staging. */
  async #isPublished(id: string, { publishing, pieces }: State): Promise<boolean> {
    if (publishing === null || !(await this.#shelf.names(publishing, pieces))) return false
    await this.#options.bucket.remove(`staging/${id}`)
    return true
  }

  /** Null when an object is not there. Nothing that is held is removed. */
  async #opened(
    digest: Digest,
    place: Place,
    range: ByteRange | null,
    signal: AbortSignal,
  ): Promise<Opened | null> {
    if (place.kind === 'pieces' && place.pieces.length === 0) return null
    const keys = place.kind === 'whole' ? [place.key] : place.pieces.map(({ key }) => key)
    using undo = new DisposableStack()
    const close = undo.adopt(this.#shelf.holds.hold(keys), (letGo) => letGo())
    const begun =
      place.kind === 'whole'
        ? await this.#begunWhole(digest, place.key, range, signal)
        : await this.#begunPieces(digest, place, range, signal)
    if (!begun) return null
    undo.move()
    return new S3Body(this.#options.bucket, begun.stretches, begun.first, signal, close)
  }

  async #begunWhole(
    digest: Digest,
    key: string,
    range: ByteRange | null,
    signal: AbortSignal,
  ): Promise<Begun | null> {
    const { bucket } = this.#options
    const got = await bucket.get(key, range, signal)
    const size = got ? got.total : ((range && (await bucket.head(key, signal)))?.size ?? null)
    if (size === null) return null
    const wanted = range ?? { start: 0, end: size - 1 }
    if (got && wanted.end < size) return { stretches: [{ key, ...wanted }], first: got.body }
    got?.body.destroy()
    throw tooShort(digest, size, wanted.end + 1)
  }

  async #begunPieces(
    digest: Digest,
    { size, pieces }: Extract<Place, { kind: 'pieces' }>,
    range: ByteRange | null,
    signal: AbortSignal,
  ): Promise<Begun | null> {
    const wanted = range ?? { start: 0, end: size - 1 }
    if (wanted.end >= size) throw tooShort(digest, size, wanted.end + 1)
    const stretches = stretchesOf(pieces, wanted)
    const [first] = stretches
    if (!first) return { stretches, first: null }
    const got = await this.#options.bucket.get(first.key, first, signal)
    if (got && got.total > first.end) return { stretches, first: got.body }
    got?.body.destroy()
    return null
  }
}

type Begun = { readonly stretches: readonly Stretch[]; readonly first: Readable | null }

/** The first contact, in milliseconds: a wrong endpoint is to be told, not waited for. */
const openWithin = 30_000

function tooShort(digest: Digest, size: number, wanted: number): Outage {
  return new Outage(
    'STORAGE_UNAVAILABLE',
    `the blob ${digest} has ${size} bytes where ${wanted} were stored; delete the image and create it again`,
  )
}

function damaged(digest: Digest): Outage {
  const message = `bytes of the blob ${digest} are missing in the bucket; delete the image and create it again`
  return new Outage('STORAGE_UNAVAILABLE', message)
}
