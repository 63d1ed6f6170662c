import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import type { Upload } from '../catalog/uploads.ts'
import { Flaw, Refusal } from '../errors.ts'
import { checksumsOf, type Checksums } from '../image/data-source.ts'
import type { Assemblies } from './assemblies.ts'
import { mismatch } from './checksums.ts'
import type { Deadlines } from './deadlines.ts'
import type { Room } from './room.ts'
import { tokenHash } from './server-key.ts'
import { busy, empty, gone, outdated, unknown } from './upload-words.ts'

export type DoorOptions = {
  readonly catalog: Catalog
  readonly assemblies: Pick<Assemblies, 'of'>
  readonly deadlines: Deadlines
  readonly room: Room
  readonly now: () => number
}

/** What a request says of its body, before a byte of it is read. */
export type Announced = {
  /** Bytes of the body, null when it does not tell. */
  readonly length: number | null
  /** Where in the file it begins; null for a file that begins anew. */
  readonly start: number | null
  /** Whether it must begin where the bytes end that are here; else what lies beyond is replaced. */
  readonly isExact: boolean
  /** Bytes of the whole file, null when it does not tell. */
  readonly total: number | null
  /** Whether the end of the body is the end of the file, where the total does not tell that. */
  readonly isLast: boolean
  /** Of the whole file. */
  readonly checksums: Checksums
  /** Of the body alone. */
  readonly ofPart: Checksums
}

export type Found = { readonly image: Image; readonly upload: Upload }

/** A client that may come in: nothing of its body has been read. */
export type Admission = Found & {
  /** Bytes of the body, null when it does not tell. */
  readonly length: number | null
  /** As announced, with what was known before. */
  readonly start: number | null
  readonly total: number | null
  readonly isLast: boolean
  /** All that the whole file has to have. */
  readonly checksums: Checksums
  /** Those of them that clients have told. */
  readonly told: Checksums
  readonly ofPart: Checksums
}

/** How an upload stands. */
export type Standing = Found & {
  /** Bytes that are here. */
  readonly offset: number
  readonly length: number | null
}

/** Where clients with a token come to: who may go in is decided here, before a byte of the body is read. */
export class UploadDoor {
  readonly #options: DoorOptions

  constructor(options: DoorOptions) {
    this.#options = options
  }

  /** @throws Refusal UPLOAD_UNKNOWN, UPLOAD_GONE */
  async enter(token: string): Promise<Found> {
    const { upload, image } = await this.look(token)
    const { deadlines, now } = this.#options
    if (upload.expiresAt !== null && upload.expiresAt <= now()) {
      // Not waited for: its end stops whoever sends, and that may be who asks.
      deadlines.look()
      throw gone(image, 'expired')
    }
    if (upload.attempt !== image.attempt && image.phase === 'WaitForUserUpload') {
      throw outdated(image)
    }
    if (upload.state === 'finished' || upload.state === 'expired') throw gone(image, upload.state)
    if (image.phase === 'Terminating') throw gone(image, 'finished')
    return { upload, image }
  }

  /**
   * Everything that can be refused before a byte of the body is sent.
   * @throws Refusal UPLOAD_UNKNOWN, UPLOAD_GONE, UPLOAD_BUSY, UPLOAD_EMPTY, UPLOAD_CONFLICT, SIZE_INVALID, TOO_LARGE; Flaw
   * CHECKSUM_MISMATCH; Outage STORAGE_FULL
   */
  async admit(token: string, announced: Announced): Promise<Admission> {
    const { image, upload } = await this.enter(token)
    const assembly = this.#options.assemblies.of(image)
    if (assembly?.isComplete) throw busy(null)
    const { start, length, isLast, ofPart } = announced
    const isAnew = beginsAnew(announced)
    if (length === 0 && start === null) throw empty()
    if (start !== null) assertFits(announced, upload, assembly?.feed.position ?? upload.offset)
    const total = announced.total ?? (isAnew ? null : upload.length)
    await this.#assertRoom(image, announced, total, assembly !== null)
    const told = { ...(isAnew ? {} : upload.checksums), ...announced.checksums }
    const checksums = together(checksumsOf(image.dataSource), told)
    return { image, upload, length, start, total, isLast, checksums, told, ofPart }
  }

  /**
   * A look at the door, without opening it.
   * @throws Refusal UPLOAD_UNKNOWN
   */
  async look(token: string): Promise<Standing> {
    const { uploads, images } = this.#options.catalog.read
    const upload = await uploads.byTokenHash(tokenHash(token))
    const image = upload && (await images.byUid(upload.imageUid))
    if (!upload || !image) throw unknown()
    const assembly = this.#options.assemblies.of(image)
    return {
      image,
      upload,
      offset: assembly?.feed.position ?? upload.offset,
      length: upload.length,
    }
  }

  /** What is on its way in already has been promised its room. */
  async #assertRoom(
    image: Image,
    announced: Announced,
    total: number | null,
    isPromised: boolean,
  ): Promise<void> {
    const { room } = this.#options
    const { start, length } = announced
    const end = (start ?? 0) + (length ?? 0)
    if (total !== null && end > total) {
      throw new Refusal(
        'SIZE_INVALID',
        `the body ends at byte ${end}, but the file has only ${total} bytes`,
      )
    }
    room.checkSize(total ?? end)
    if (isPromised) return
    // A file that begins anew comes in the place of what is here of it.
    const instead = beginsAnew(announced) ? { instead: image.uid } : {}
    const rest = total === null ? length : total - (start ?? 0)
    await room.check(rest ?? 0, instead)
  }
}

/** Whatever was here or was told before is of no account: as `curl -C -` begins, which knows no offset. */
function beginsAnew({ start, isExact }: Announced): boolean {
  return start === null || (start === 0 && !isExact)
}

/** @throws Refusal UPLOAD_CONFLICT */
function assertFits(announced: Announced, upload: Upload, here: number) {
  const { start, total, isExact, checksums } = announced
  if (start === null) return
  if (start > here || (isExact && start !== here)) {
    throw new Refusal(
      'UPLOAD_CONFLICT',
      `${here} bytes of this upload are here, so the next one cannot be number ${start}; go on with number ${here} (curl -C ${here})`,
    )
  }
  if (beginsAnew(announced)) return
  const other = expectedOther(checksums, upload.checksums)
  if (other || (total !== null && upload.length !== null && total !== upload.length)) {
    throw new Refusal(
      'UPLOAD_CONFLICT',
      `this is not the file that was begun: ${other ?? `that one has ${upload.length} bytes, this one ${total}`}; send the same file, or begin anew without curl -C`,
    )
  }
}

function expectedOther(checksums: Checksums, before: Checksums): string | null {
  const both = Object.fromEntries(
    Object.entries(before).filter(([algorithm]) => algorithm in checksums),
  )
  const wrong = mismatch(checksums, both)
  return wrong && `that one has the ${wrong.algorithm} ${wrong.hex}, this one ${wrong.found}`
}

/** @throws Flaw CHECKSUM_MISMATCH when the file that is sent cannot be the one that is wanted */
function together(wanted: Checksums, told: Checksums): Checksums {
  const both = Object.fromEntries(Object.entries(wanted).filter(([name]) => name in told))
  const wrong = mismatch(told, both)
  if (!wrong) return { ...wanted, ...told }
  throw new Flaw(
    'CHECKSUM_MISMATCH',
    `the image is to have the ${wrong.algorithm} ${wrong.hex}, and a file with ${wrong.found} was about to be sent; check the file`,
  )
}
