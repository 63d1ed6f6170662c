import type { Image } from '../../catalog/images.ts'
import { repositoryOf } from '../../image/name.ts'
import { callerReaches } from '../auth/access.ts'
import type { Caller } from '../auth/caller.ts'
import { Visitor } from '../auth/visitor.ts'
import { Bell } from './bell.ts'
import type { Entry } from './entry.ts'
import type { Feed } from './feed.ts'
import { frame, silence } from './sse.ts'

export type Audience = {
  /** The one image that is listened to, null for all. */
  readonly name: string | null
  /** Who listens, as of now; null when the credentials are no longer in force. */
  readonly again: () => Promise<Caller | null>
  /** The event after which to go on; null when there is none to go on from. */
  readonly from: number | null
}

/** Progress that goes out in one piece, in bytes: a reader who is slow gets what is true when it has read that. */
const pieceSize = 64 * 1024
/** Changes that go out in one piece, in bytes: each piece costs as much as a frame. */
const changesSize = 16 * 1024
/** Images of one look at the whole state: each may have a CA bundle of 256 KiB, and wait for a slow reader. */
const pageSize = 4
const everything = { limit: pageSize, phase: null, format: null, cdrom: null }

type Held = { readonly event: string; readonly data: string; readonly id: string | null }

/**
 * What one client is told. Nothing is kept for it but its place in the order: the next frame is made when the one before
 * has gone out, of what is known then.
 */
export class Stream {
  readonly #feed: Feed
  readonly #audience: Audience
  readonly #bell = new Bell()
  #caller: Caller
  /** The last event that was passed; null when the whole state has to be told. */
  #at: number | null
  /** The last id that the client knows. */
  #told: number | null
  /** The newest progress that was passed. Who comes back knows none of it. */
  #stamp = 0
  /** The look that was told last. What others were told before may be older than what the client knows. */
  #seen: number
  #beat: number

  /** @param caller who may read here, at this moment */
  constructor(feed: Feed, audience: Audience, caller: Caller) {
    this.#feed = feed
    this.#audience = audience
    this.#caller = caller
    this.#seen = feed.looks
    this.#beat = feed.beat
    const { from } = audience
    this.#at = from !== null && from <= feed.newest ? from : null
    this.#told = this.#at
  }

  /** Ends with the signal, and with the right to read. */
  async *frames(signal: AbortSignal): AsyncGenerator<Buffer> {
    const { ring } = this.#bell
    const unwatch = this.#feed.watch(ring)
    signal.addEventListener('abort', ring)
    try {
      while (!signal.aborted && (await this.#mayRead())) yield* this.#next()
    } finally {
      unwatch()
      signal.removeEventListener('abort', ring)
    }
  }

  async *#next(): AsyncGenerator<Buffer> {
    if (this.#at === null) yield* this.#whole()
    else if (this.#at < this.#feed.newest) yield* this.#changes(this.#at)
    else if (this.#feed.moves.newest > this.#stamp) yield* this.#moves()
    else if (this.#feed.beat > this.#beat) yield this.#silence()
    else await this.#bell.sleep()
  }

  /** The last one bears the id: who is cut off before begins again. */
  async *#whole(): AsyncGenerator<Buffer> {
    const seq = this.#feed.newest
    this.#stamp = this.#feed.moves.newest
    let held: Held = { event: 'reset', data: '{}', id: '' }
    for await (const image of this.#images()) {
      if (!(await this.#isAsBefore())) return
      if (!this.#hears(image.name)) continue
      yield frame(held.event, held.data, held.id)
      const telling = await this.#feed.tell(image)
      held = { event: 'image', data: telling.data(this.#mayWrite), id: null }
    }
    yield frame(held.event, held.data, String(seq))
    this.#seen = this.#feed.looks
    this.#told = seq
    this.#at = seq
  }

  async *#images(): AsyncGenerator<Image> {
    const { images } = this.#feed.catalog.read
    const { name } = this.#audience
    if (name !== null) {
      const image = await images.byName(name)
      if (image) yield image
      return
    }
    for (let after: string | null = null; ;) {
      const page: readonly Image[] = await images.list({ ...everything, after })
      yield* page
      after = page.at(-1)?.name ?? null
      if (page.length < pageSize) return
    }
  }

  async *#changes(at: number): AsyncGenerator<Buffer> {
    const entries = await this.#feed.after(at)
    if (!entries) this.#at = null
    // What was told is let go: a slow reader holds no more than what is still to come.
    const queue = [...(entries ?? [])]
    while (queue.length > 0) {
      const frames = await this.#take(queue)
      if (!frames) return
      if (frames.length > 0) yield this.#feed.pieces.join(frames)
    }
  }

  /** Frames of the next changes, as many as go out together; null when somebody else is to be told than before. */
  async #take(queue: Entry[]): Promise<readonly Buffer[] | null> {
    const frames: Buffer[] = []
    let size = 0
    for (let entry = queue.shift(); entry; entry = size < changesSize ? queue.shift() : undefined) {
      if (!(await this.#isAsBefore())) return null
      const { seq, name } = entry.happening
      const told = this.#hears(name) ? await entry.frame(this.#mayWrite, this.#seen) : null
      this.#seen = Math.max(this.#seen, entry.stamp)
      this.#at = seq
      if (!told) continue
      this.#told = seq
      frames.push(told)
      size += told.length
    }
    return frames
  }

  *#moves(): Generator<Buffer> {
    const frames: Buffer[] = []
    let size = 0
    for (const { stamp, telling } of this.#feed.moves.since(this.#stamp)) {
      this.#stamp = stamp
      if (!this.#hears(telling.name)) continue
      const frame = telling.frame(this.#mayWrite)
      frames.push(frame)
      size += frame.length
      if (size >= pieceSize) break
    }
    if (size > 0) yield Buffer.concat(frames)
    else this.#stamp = this.#feed.moves.newest
  }

  #silence(): Buffer {
    this.#beat = this.#feed.beat
    const isNew = this.#told !== this.#at
    this.#told = this.#at
    return silence(isNew ? String(this.#at) : null)
  }

  async #mayRead(): Promise<boolean> {
    return (await this.#renew()) !== 'gone'
  }

  async #isAsBefore(): Promise<boolean> {
    return (await this.#renew()) === 'same'
  }

  /** Looks at the credentials anew. Whoever may see something else than before is told everything again. */
  async #renew(): Promise<'same' | 'changed' | 'gone'> {
    const before = this.#caller
    const caller = await this.#audience.again()
    if (!caller || !callerReaches(caller, 'read')) return 'gone'
    this.#caller = caller
    if (areEqual(caller, before)) return 'same'
    this.#at = null
    return 'changed'
  }

  get #mayWrite(): boolean {
    return callerReaches(this.#caller, 'write')
  }

  /** Who may not pull an image is told nothing of it. */
  #hears(name: string): boolean {
    const { name: only } = this.#audience
    return (only === null || only === name) && this.#caller.may('pull', repositoryOf(name))
  }
}

function areEqual(one: Caller, other: Caller): boolean {
  return one === other || (one instanceof Visitor && other instanceof Visitor && one.equals(other))
}
