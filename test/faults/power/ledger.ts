import { lengthOfLog } from './recording.ts'
import type { Bytes } from '../../support/registry-client.ts'

type Step<State> = { readonly state: State; readonly begun: number; told: number | null }

/**
 * What somebody asked for, one thing after the other, and where the recording was then. After a power cut the state is the
 * last one that was told before, or one that had been asked for since.
 */
export class Timeline<State> {
  readonly #before: State
  readonly #now: () => number
  readonly #steps: Step<State>[] = []

  constructor(before: State, now: () => number) {
    this.#before = before
    this.#now = now
  }

  /** It is about to be asked for. @returns to be called once it was told */
  begin(state: State): () => void {
    const step: Step<State> = { state, begun: this.#now(), told: null }
    this.#steps.push(step)
    return () => {
      step.told ??= this.#now()
    }
  }

  /** Seen by somebody who only looked. */
  saw(state: State): void {
    const told = this.#steps.findLast((step) => step.state === state)
    if (told) told.told ??= this.#now()
  }

  /** Where the recording was when something was told. */
  get answers(): readonly number[] {
    return this.#steps.flatMap(({ told }) => (told === null ? [] : [told]))
  }

  /** What may be found when the power went at that place of the recording. */
  at(place: number): ReadonlySet<State> {
    const last = this.#steps.findLastIndex(({ told }) => told !== null && told <= place)
    const since = this.#steps.slice(last + 1).filter(({ begun }) => begun < place)
    return new Set([this.#steps[last]?.state ?? this.#before, ...since.map(({ state }) => state)])
  }
}

/** Bytes that were told to be there, and how far the recording was. */
export type Told = { readonly offset: number; readonly place: number }

export type ImageStory = {
  readonly name: string
  readonly way: 'upload' | 'import'
  readonly bytes: Bytes
  readonly is: Timeline<'absent' | 'unfinished' | 'ready'>
  /** Of an upload that comes in parts. */
  readonly told: Told[]
  /** Below the service's address; null until it was told. */
  uploadPath: string | null
  /** Of its manifest, once it was told. */
  digest: { readonly is: string; readonly place: number } | null
}

export type BlobStory = {
  readonly repository: string
  readonly bytes: Bytes
  /** What is free may be there or not. */
  readonly is: Timeline<'absent' | 'session' | 'blob' | 'free'>
  readonly told: Told[]
  session: string | null
}

export type ManifestStory = {
  readonly repository: string
  readonly bytes: Bytes
  readonly is: Timeline<'absent' | 'present'>
}

/** Each state is a digest, or that there is no such tag. */
export type TagStory = {
  readonly repository: string
  readonly tag: string
  readonly is: Timeline<string>
}

/** Everything that clients of one recorded service have been told. */
export class Ledger {
  readonly images: ImageStory[] = []
  readonly blobs: BlobStory[] = []
  readonly manifests: ManifestStory[] = []
  readonly tags: TagStory[] = []
  readonly #log: string

  constructor(log: string) {
    this.#log = log
  }

  /** The recording is so long. */
  readonly place = (): number => lengthOfLog(this.#log)

  image(name: string, way: ImageStory['way'], bytes: Bytes): ImageStory {
    const is = new Timeline<'absent' | 'unfinished' | 'ready'>('absent', this.place)
    const story = { name, way, bytes, is, told: [], uploadPath: null, digest: null }
    this.images.push(story)
    return story
  }

  blob(repository: string, bytes: Bytes): BlobStory {
    const is = new Timeline<'absent' | 'session' | 'blob' | 'free'>('absent', this.place)
    const story = { repository, bytes, is, told: [], session: null }
    this.blobs.push(story)
    return story
  }

  manifest(repository: string, bytes: Bytes): ManifestStory {
    const is = new Timeline<'absent' | 'present'>('absent', this.place)
    const story = { repository, bytes, is }
    this.manifests.push(story)
    return story
  }

  tag(repository: string, tag: string): TagStory {
    const story = { repository, tag, is: new Timeline<string>('none', this.place) }
    this.tags.push(story)
    return story
  }

  /** Where the recording was when something was told. */
  answers(): readonly number[] {
    const { images, blobs, manifests, tags } = this
    const parts = [...images, ...blobs].flatMap(({ told }) => told.map(({ place }) => place))
    const all = [...images, ...blobs, ...manifests, ...tags].flatMap(({ is }) => is.answers)
    return [...parts, ...all]
  }

  /** An answer has told that so many bytes are here. */
  tell(told: Told[], offset: number): void {
    told.push({ offset, place: this.place() })
  }
}
