import type { Digest } from '../image/digest.ts'
import type { Image } from './images.ts'
import type { Manifest } from './manifests.ts'

export const imageNotes = [
  'image.created',
  'image.ready',
  'image.failed',
  'image.lost',
  'image.recovered',
  'image.deleted',
] as const
export const manifestNotes = ['manifest.pushed', 'manifest.deleted'] as const

/** What there is to tell of an image: what it was like right after the step, its last state when it is deleted. */
export type ImageNote = {
  readonly type: (typeof imageNotes)[number]
  /** The image's name. */
  readonly subject: string
  readonly image: Image
}

/** Who has asked for it, as the registry was asked. */
export type Requester = {
  readonly id: string
  /** The address of the client, with its port where that is the connection's own. */
  readonly addr: string
  readonly host: string
  readonly method: string
  readonly userAgent: string
  /** Empty for somebody without credentials. */
  readonly name: string
}

/** What there is to tell of a repository. `size` is bytes. */
export type ManifestNote = {
  readonly type: (typeof manifestNotes)[number]
  /** The repository. */
  readonly subject: string
  /** Null for a tag alone that is gone. */
  readonly digest: Digest | null
  readonly tag: string | null
  /** Null for what is gone. */
  readonly mediaType: string | null
  readonly size: number | null
  /** Null for what this service does by itself. */
  readonly by: Requester | null
}

export type Note = ImageNote | ManifestNote

/** What one transaction does that others want to be told, in order. */
export class Notepad {
  #notes: Note[] = []
  readonly #by: Requester | null

  constructor(by: Requester | null) {
    this.#by = by
  }

  get notes(): readonly Note[] {
    return this.#notes
  }

  /** @param before null for a new image; @param after null for one that is gone */
  image(before: Image | null, after: Image | null): void {
    const image = after ?? before
    const type = typeOf(before, after)
    // Credentials are for nobody, sealed or not.
    if (image && type) {
      const told = { ...image, secrets: null, sealedQuery: null, urlKey: null }
      this.#notes.push({ type, subject: image.name, image: told })
    }
  }

  /** A push with tags is told once for each of them. */
  pushed(repository: string, { digest, mediaType, size }: Manifest, tag: string | null): void {
    // What is put in the place of itself was never gone, and a push that has got a tag is told with it.
    this.#notes = this.#notes.filter((note) => !(isOf(note, repository, digest) && !note.tag))
    this.#notes.push({
      type: 'manifest.pushed',
      subject: repository,
      digest,
      tag,
      mediaType,
      size,
      by: this.#by,
    })
  }

  deleted(
    repository: string,
    what: { readonly digest: Digest | null; readonly tag: string | null },
  ) {
    const gone = { mediaType: null, size: null, by: this.#by }
    this.#notes.push({ type: 'manifest.deleted', subject: repository, ...what, ...gone })
  }
}

function isOf(note: Note, repository: string, digest: Digest): note is ManifestNote {
  return 'digest' in note && note.subject === repository && note.digest === digest
}

function typeOf(before: Image | null, after: Image | null): ImageNote['type'] | null {
  if (!before) return 'image.created'
  if (!after) return 'image.deleted'
  if (before.phase === after.phase) return null
  if (after.phase === 'Ready')
    return before.phase === 'ImageLost' ? 'image.recovered' : 'image.ready'
  if (after.phase === 'Failed') return 'image.failed'
  return after.phase === 'ImageLost' ? 'image.lost' : null
}
