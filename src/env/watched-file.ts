import type { BigIntStats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { errno } from '../errors.ts'
import type { Log } from '../log.ts'
import { unreadable, type Origin } from './file-lines.ts'

/** A change is seen after this many milliseconds at the latest. */
const lookEvery = 1000
/** Some ten thousand callers. Whatever is larger is another file. */
const largest = 4 * 1024 * 1024

export type WatchedFileOptions<Content> = {
  readonly origin: Origin
  /** @throws Refusal when the text cannot be used */
  readonly parse: (text: string, origin: Origin) => Content
  readonly log: Log
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
}

/**
 * A file that is read again when it has changed. Links are followed anew at each look, so that the way Kubernetes swaps
 * mounted secrets counts as a change. What cannot be read or used leaves the last good content in force, and is logged
 * once.
 */
export class WatchedFile<Content> {
  readonly #options: WatchedFileOptions<Content>
  #content: Content
  /** What the file looked like when it was last read, whether it could be used or not. */
  #seen: string
  #lookedAt: number
  #looking: Promise<void> | null = null

  private constructor(options: WatchedFileOptions<Content>, content: Content, seen: string) {
    this.#options = options
    this.#content = content
    this.#seen = seen
    this.#lookedAt = options.now()
  }

  /** @throws Refusal that names variable, file, line and the way out */
  static async open<Content>(options: WatchedFileOptions<Content>): Promise<WatchedFile<Content>> {
    const seen = await appearance(options.origin.path)
    return new WatchedFile(options, await read(options), seen)
  }

  get content(): Content {
    return this.#content
  }

  /** Sees to it that `content` is not older than a second. */
  async look(): Promise<void> {
    if (this.#looking) return await this.#looking
    if (this.#options.now() - this.#lookedAt < lookEvery) return
    this.#lookedAt = this.#options.now()
    this.#looking = this.#refresh()
    try {
      await this.#looking
    } finally {
      this.#looking = null
    }
  }

  async #refresh(): Promise<void> {
    const { origin, log } = this.#options
    // Looked at before it is read: a change in between is seen again the next time.
    const seen = await appearance(origin.path)
    if (seen === this.#seen) return
    this.#seen = seen
    try {
      const content = await read(this.#options)
      // Somebody is still writing it; the next look is soon.
      if ((await appearance(origin.path)) !== seen) return void (this.#seen = '')
      this.#content = content
      log.info({ variable: origin.variable, path: origin.path }, 'a changed file was read again')
    } catch (error) {
      const message = error instanceof Error ? error.message : 'unknown'
      log.error(
        { variable: origin.variable, path: origin.path },
        `${message}; until that is mended, what it said before holds`,
      )
    }
  }
}

/** Modification, size and identity, or why there are none. */
async function appearance(path: string): Promise<string> {
  try {
    return told(await stat(path, { bigint: true }))
  } catch (error) {
    return errno(error) ?? 'unknown'
  }
}

function told({ mtimeNs, size, ino, dev }: BigIntStats): string {
  return [mtimeNs, size, ino, dev].join(' ')
}

async function read<Content>({ origin, parse }: WatchedFileOptions<Content>): Promise<Content> {
  return parse(await textOf(origin), origin)
}

async function textOf(origin: Origin): Promise<string> {
  try {
    const { size } = await stat(origin.path)
    if (size <= largest) return await readFile(origin.path, 'utf8')
  } catch (cause) {
    const why = errno(cause) ?? 'unknown'
    throw unreadable(
      origin,
      null,
      `it cannot be read (${why}); give a file this user may read`,
      cause,
    )
  }
  throw unreadable(origin, null, `it is larger than ${largest} bytes; give the right file`)
}
