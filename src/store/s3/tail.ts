import { readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errno, Outage } from '../../errors.ts'
import { DurableOffset } from '../durable-offset.ts'
import { strayAt } from '../filesystem-strays.ts'
import { makeFolders, syncFolder } from '../folders.ts'
import { StagedFile } from '../staged-file.ts'
import type { Stray } from '../store.ts'

/**
 * Bytes of a staging from `start` on that are in no object yet: `<id>@<start>/data` in the scratch folder, and beside it how
 * much of them is durable.
 */
export class Tail {
  /** Where it begins in the staging. */
  readonly start: number
  readonly #folder: string
  readonly #file: StagedFile
  readonly #durable: DurableOffset
  #length: number

  private constructor(start: number, folder: string, file: StagedFile, durable: DurableOffset) {
    this.start = start
    this.#folder = folder
    this.#file = file
    this.#durable = durable
    this.#length = durable.offset
  }

  static async create(scratch: string, id: string, start: number): Promise<Tail> {
    const folder = join(scratch, `${id}@${start}`)
    // What an earlier process left under the name is older than what comes now.
    await rm(folder, { recursive: true, force: true })
    await makeFolders(folder)
    await using undo = new AsyncDisposableStack()
    undo.defer(() => rm(folder, { recursive: true, force: true }))
    const file = undo.use(await StagedFile.open(join(folder, 'data'), 'wx+'))
    const durable = await DurableOffset.create(join(folder, 'offset'), file.handle)
    await syncFolder(folder)
    undo.move()
    return new Tail(start, folder, file, durable)
  }

  /**
   * What an earlier process left that reaches beyond `from` bytes; what lies behind the durable offset may be damaged and is
   * cut off. Null when nothing does.
   */
  static async reopen(
    scratch: string,
    id: string,
    from: number,
    upTo: number,
  ): Promise<Tail | null> {
    for (const start of (await startsOf(scratch, id)).filter((start) => start <= from)) {
      const tail = await opened(join(scratch, `${id}@${start}`), start, upTo)
      if (tail && tail.end > from) return tail
      await tail?.close()
    }
    return null
  }

  /** Ends of what was written, and of what survives a power cut. */
  get end(): number {
    return this.start + this.#length
  }

  get durableEnd(): number {
    return this.start + this.#durable.offset
  }

  /** Adds at the end. */
  async append(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const written = await this.#write(bytes.subarray(done))
      done += written
      this.#length += written
    }
    this.#durable.advance(this.#length)
  }

  async #write(bytes: Buffer): Promise<number> {
    try {
      return await this.#file.write([bytes], this.#length)
    } catch (cause) {
      if (!['ENOSPC', 'EDQUOT'].includes(errno(cause) ?? '')) throw cause
      const message = `bytes are put aside in ${dirname(this.#folder)}, and its disk is full; free space there, or set SLIPWAY_SCRATCH_DIR to a larger disk`
      throw new Outage('STORAGE_FULL', message, { cause })
    }
  }

  async flush(): Promise<void> {
    await this.#durable.flush(this.#length)
  }

  async overwrite(bytes: Uint8Array, position: number): Promise<void> {
    await this.#file.handle.write(bytes, 0, bytes.length, position - this.start)
  }

  /** Fills a buffer from a position of the staging on; all of its bytes have been written. */
  async fill(buffer: Buffer, position: number): Promise<void> {
    for (let filled = 0; filled < buffer.length;) {
      const at = position - this.start + filled
      const { bytesRead } = await this.#file.handle.read(buffer, filled, buffer.length - filled, at)
      if (bytesRead === 0) throw new Error(`${this.#folder} is shorter than what was written`)
      filled += bytesRead
    }
  }

  async close(): Promise<void> {
    await this.#durable.close()
    await this.#file[Symbol.asyncDispose]()
  }

  async remove(): Promise<void> {
    await this.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** @throws an ENOENT when a crash left only a part of it */
  static async open(folder: string, start: number, upTo: number): Promise<Tail> {
    await using undo = new AsyncDisposableStack()
    const file = undo.use(await StagedFile.open(join(folder, 'data'), 'r+'))
    const most = Math.max(0, upTo - start)
    const durable = await DurableOffset.reopen(join(folder, 'offset'), file.handle, most)
    undo.defer(() => durable.close())
    await file.handle.truncate(durable.offset)
    undo.move()
    return new Tail(start, folder, file, durable)
  }
}

async function opened(folder: string, start: number, upTo: number): Promise<Tail | null> {
  try {
    return await Tail.open(folder, start, upTo)
  } catch (error) {
    if (errno(error) === 'ENOENT') return null
    throw error
  }
}

/** Where the tails of a staging begin, the last one first. */
async function startsOf(scratch: string, id: string): Promise<readonly number[]> {
  const starts = (await readdir(scratch)).flatMap((name) => {
    const known = parse(name)
    return known?.id === id ? [known.start] : []
  })
  return starts.sort((one, other) => other - one)
}

function parse(name: string): { readonly id: string; readonly start: number } | null {
  const [, id, start] = /^(.+)@(\d{1,16})$/.exec(name) ?? []
  return id === undefined ? null : { id, start: Number(start) }
}

/** Ids that have tails. */
export async function tailed(scratch: string): Promise<readonly string[]> {
  return (await readdir(scratch)).flatMap((name) => parse(name)?.id ?? [])
}

/** Removes all tails of a staging that are not open. */
export async function removeTails(scratch: string, id: string): Promise<void> {
  const starts = await startsOf(scratch, id)
  for (const start of starts)
    await rm(join(scratch, `${id}@${start}`), { recursive: true, force: true })
  // What is dropped must not come back after a power cut, when other bytes have taken its place.
  if (starts.length > 0) await syncFolder(scratch)
}

/** What lies in the scratch folder and is no tail. */
export async function* scratchStrays(scratch: string, before: number): AsyncIterable<Stray> {
  for (const name of await readdir(scratch)) {
    if (parse(name)) continue
    const path = join(scratch, name)
    const found = await stat(path)
    if (found.mtimeMs < before) yield strayAt(path, found)
  }
}
