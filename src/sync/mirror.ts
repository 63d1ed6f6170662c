import { z } from 'zod'
import { openEvents, type ServiceEvent } from '../client/events.ts'
import { ownedImageSchema, type OwnedImage } from '../client/images.ts'
import type { Rest } from '../client/rest.ts'
import { asFailure, Outage, type Failure } from '../errors.ts'
import type { Log } from '../log.ts'
import { backoff, pause } from '../client/pause.ts'

export type MirrorOptions = {
  readonly rest: Rest
  readonly log: Log
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** Milliseconds without the stream after which the service counts as away. */
  readonly lostAfter?: number
}

/** An image that has an owner. */
export type Mirrored = OwnedImage & { readonly ownerUid: string }

/** Told of a name; of null when everything may have changed. */
export type Changed = (name: string | null) => void

/** A service that starts again takes less. */
const usuallyLostAfter = 10_000
/** Before the first further attempt, and the most, in milliseconds. */
const first = 200
const longest = 10_000

const deletedSchema = z.object({ name: z.string(), uid: z.string() })
const namedSchema = z.object({ name: z.string() })

/**
 * What the service says of images that have an owner, kept up to date by its stream of events. What was there before and is
 * not told again is gone once the whole state has been told, not before.
 */
export class Mirror {
  readonly #options: MirrorOptions
  readonly #images = new Map<string, Mirrored>()
  readonly #watchers = new Set<Changed>()
  /** Names that cannot be read, so that each is logged once. */
  readonly #unread = new Set<string>()
  /** What the whole state has named so far; null when it is not being told. */
  #told: Set<string> | null = null
  #lastId = ''
  #isSynced = false
  #lostSince: number | null
  #isAway = false
  #trouble: Failure | null = null
  #failures = 0

  constructor(options: MirrorOptions) {
    this.#options = options
    this.#lostSince = options.now()
  }

  /** Whether the whole state has been told once. */
  get isSynced(): boolean {
    return this.#isSynced
  }

  /** Milliseconds since 1970; null while the service is listened to. */
  get lostSince(): number | null {
    return this.#lostSince
  }

  /** Whether the service has been lost for so long that others should know. */
  get isAway(): boolean {
    return this.#isAway
  }

  /** Why the service is lost; null while it is listened to. */
  get trouble(): Failure | null {
    return this.#trouble
  }

  get size(): number {
    return this.#images.size
  }

  get(name: string): Mirrored | null {
    return this.#images.get(name) ?? null
  }

  /** Calls back until the returned function is called. */
  watch(changed: Changed): () => void {
    this.#watchers.add(changed)
    return () => void this.#watchers.delete(changed)
  }

  /**
   * Listens until the signal, whatever happens to the service. What was told in an earlier run is forgotten: somebody else may
   * have led since.
   */
  async run(signal: AbortSignal): Promise<void> {
    this.#forget()
    let timer = this.#lose()
    while (!signal.aborted) {
      const began = performance.now()
      await this.#listen(() => clearTimeout(timer), signal)
      if (this.#lostSince === null) timer = this.#lose()
      // One that is begun and breaks off at once has failed, too.
      if (performance.now() - began > longest) this.#failures = 0
      await pause(backoff(this.#failures, { first, longest, random: this.#options.random }), signal)
      this.#failures += 1
    }
    clearTimeout(timer)
  }

  #forget(): void {
    this.#images.clear()
    this.#told = null
    this.#lastId = ''
    this.#isSynced = false
    this.#isAway = false
    this.#failures = 0
  }

  async #listen(opened: () => void, signal: AbortSignal): Promise<void> {
    try {
      const events = await openEvents(this.#options.rest, this.#lastId, signal)
      opened()
      this.#find()
      for await (const event of events) this.#take(event)
      throw new Outage('SERVICE_UNREACHABLE', 'the service has ended its stream of events')
    } catch (error) {
      if (!signal.aborted) this.#complain(asFailure(error))
    }
  }

  #find(): void {
    this.#options.log.info('the service is listened to')
    this.#lostSince = null
    this.#isAway = false
    this.#trouble = null
    if (this.#isSynced) this.#tell(null)
  }

  #lose(): NodeJS.Timeout {
    this.#lostSince ??= this.#options.now()
    return this.#alarm()
  }

  #alarm(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#isAway = true
      this.#tell(null)
    }, this.#options.lostAfter ?? usuallyLostAfter)
  }

  /** Once for each kind of trouble, not for each attempt. */
  #complain(trouble: Failure): void {
    const before = this.#trouble
    this.#trouble = trouble
    if (before?.code === trouble.code) return
    this.#options.log.warn({ err: trouble }, 'the service is not listened to')
    // A service that answers again and refuses is mended in another place than one that is away.
    if (this.#isAway && isRefusal(before) !== isRefusal(trouble)) this.#tell(null)
  }

  #take({ event, data, id }: ServiceEvent): void {
    if (id !== null) this.#lastId = id
    if (event === 'reset') this.#told = new Set()
    else if (event === 'image') this.#takeImage(data)
    else if (event === 'deleted') this.#takeDeleted(data)
    // The frame that bears the id ends the whole state.
    if (this.#told && id !== null && id !== '') this.#settle(this.#told)
  }

  #takeImage(data: string): void {
    const value = parsed(data)
    const { data: image } = ownedImageSchema.safeParse(value)
    if (!image) return this.#passOver(value)
    this.#unread.delete(image.name)
    if (hasOwner(image)) this.#keep(image)
    else this.#images.delete(image.name)
    this.#tell(image.name)
  }

  #keep(image: Mirrored): void {
    this.#told?.add(image.name)
    this.#images.set(image.name, image)
  }

  #takeDeleted(data: string): void {
    const { data: gone } = deletedSchema.safeParse(parsed(data))
    if (!gone) return this.#passOver(data)
    if (this.get(gone.name)?.uid === gone.uid) this.#images.delete(gone.name)
    this.#tell(gone.name)
  }

  #settle(told: ReadonlySet<string>): void {
    this.#told = null
    for (const name of this.#images.keys()) if (!told.has(name)) this.#images.delete(name)
    this.#isSynced = true
    this.#tell(null)
  }

  /** A service of another version may say what is not understood here; everything else is. */
  #passOver(value: unknown): void {
    const name = namedSchema.safeParse(value).data?.name ?? ''
    this.#told?.add(name)
    if (this.#unread.has(name)) return
    this.#unread.add(name)
    this.#options.log.warn({ image: name }, 'the service says of an image what is not understood')
  }

  #tell(name: string | null): void {
    if (!this.#isSynced && name !== null) return
    for (const changed of this.#watchers) changed(name)
  }
}

function isRefusal(trouble: Failure | null): boolean {
  return trouble?.row.kind === 'refusal'
}

function hasOwner(image: OwnedImage): image is Mirrored {
  return image.ownerUid !== null
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    // Whoever asked for JSON is told by the schema that there is none.
    return undefined
  }
}
