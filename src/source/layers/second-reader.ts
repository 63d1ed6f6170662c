import { extract, type ExtractEvents } from 'tar-stream'
import { Flaw } from '../../errors.ts'
import { shown, unsafe } from './flaws.ts'
import type { Member } from './member.ts'

type Listeners = {
  readonly onDisk: (bytes: Buffer) => void
  readonly onFailure: (error: Flaw) => void
}

/** tar-stream's types do not know of the format before ustar, which has no magic. */
const options = { highWaterMark: 64 * 1024, allowUnknownFormat: true }

/**
 * tar-stream takes the disk's bytes out of the tar. It has no code in common with the walk, which has judged the same bytes
 * before, so a tar that two readers take for two things does not pass: both have to find the same members.
 */
export class SecondReader {
  readonly #extract = extract(options)
  readonly #listeners: Listeners
  readonly #expected: { readonly member: Member; readonly isDisk: boolean }[] = []
  #onDrain = () => {}
  /** A member whose bytes are still being given, and what waits for them. */
  #isGiving = false
  #onGiven = () => {}

  constructor(listeners: Listeners) {
    this.#listeners = listeners
    this.#extract
      .on('entry', this.#entry)
      .on('drain', () => this.#onDrain())
      .on('error', (cause) => listeners.onFailure(unreadable(cause)))
  }

  /** To be told before the bytes are written. */
  expect(member: Member, isDisk: boolean): void {
    this.#expected.push({ member, isDisk })
  }

  /** @param done called when there is room for more; the disk's bytes among these were given then */
  write(bytes: Buffer, done: () => void): void {
    if (this.#extract.write(bytes)) return done()
    this.#onDrain = done
  }

  /** @param padding bytes of zeros that the archive lacks, fewer than a block */
  end(padding: number, done: () => void): void {
    this.#extract
      .on('finish', () => {
        if (this.#isGiving) this.#onGiven = done
        else done()
      })
      .end(padding > 0 ? Buffer.alloc(padding) : null)
  }

  destroy(): void {
    this.#extract.destroy()
  }

  #entry = (...[header, content, next]: ExtractEvents['entry']): void => {
    const { onDisk, onFailure } = this.#listeners
    const { member, isDisk = false } = this.#expected.shift() ?? {}
    const isSame = header.name === member?.name && header.size === member.size
    if (!isSame) {
      return onFailure(unsafe(`${shown(header.name)} is read by some and not by others`))
    }
    this.#isGiving = true
    content.on('end', () => this.#given(next)).on('error', () => {})
    if (isDisk) content.on('data', (bytes) => bytes instanceof Buffer && onDisk(bytes))
    else content.resume()
  }

  #given(next: () => void): void {
    this.#isGiving = false
    next()
    this.#onGiven()
  }
}

function unreadable(cause: unknown): Flaw {
  const words = cause instanceof Error ? cause.message : 'no reason'
  return new Flaw('CORRUPT_ARCHIVE', `one of two readers cannot read the tar: ${words}`, { cause })
}
