import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from './folders.ts'

/**
 * So many bytes are brought to the disk while more arrive, and what came in a second: a crash costs at most the last of
 * them, and the sync at the end finds little left to do.
 */
const step = 64 * 1024 * 1024
const every = 1000
/** After so much silence the same is done: what came last has waited for others to fill its slab with already. Milliseconds. */
const silence = 500
/** Decimal digits, one sector: it is written whole or not at all. */
const width = 20
const zero = Buffer.alloc(1)

/** How much of a staged file survives a power cut, kept in a small file beside it, in a folder of their own. */
export class DurableOffset {
  readonly #folder: string
  readonly #record: FileHandle
  readonly #file: FileHandle
  #offset: number
  /** Whether both files have names that survive a power cut, too. */
  #isFound = false
  #syncing: Promise<void> | null = null
  #failure: { readonly error: unknown } | null = null
  #stopped = false
  #written = 0
  #syncedAt = performance.now()
  #timer: NodeJS.Timeout | null = null

  private constructor(path: string, record: FileHandle, file: FileHandle, offset: number) {
    this.#folder = dirname(path)
    this.#record = record
    this.#file = file
    this.#offset = offset
  }

  static async create(path: string, file: FileHandle): Promise<DurableOffset> {
    return new DurableOffset(path, await open(path, 'wx+'), file, 0)
  }

  /**
   * An unreadable record means that nothing is known to be durable.
   * @param upTo what lies beyond counts no more
   */
  static async reopen(path: string, file: FileHandle, upTo: number): Promise<DurableOffset> {
    await using undo = new AsyncDisposableStack()
    const record = undo.use(await open(path, 'r+'))
    const { buffer, bytesRead } = await record.read(Buffer.alloc(width), 0, width, 0)
    const text = buffer.toString('latin1', 0, bytesRead)
    const { size } = await file.stat()
    const offset = /^\d{20}$/.test(text) ? Math.min(Number(text), size) : 0
    const kept = Math.min(offset, upTo)
    // Before other bytes come in the place of those that were durable.
    if (kept < offset) await write(record, kept)
    undo.move()
    return new DurableOffset(path, record, file, kept)
  }

  get offset(): number {
    return this.#offset
  }

  /** Told how many bytes have reached the file; begins a sync when enough have come and none is running. */
  advance(written: number): void {
    this.#written = written
    if (this.#isDue(written)) this.#begin()
    else this.#later()
  }

  #begin(): void {
    if (this.#stopped || this.#syncing || this.#failure || this.#written <= this.#offset) return
    this.#syncing = this.#syncOrFail(this.#written)
      // It is told by `flush` and `stop`.
      .catch(() => {})
      .finally(() => {
        this.#syncing = null
        this.#later()
      })
  }

  /** A sender that falls silent brings nothing more that could begin a sync. */
  #later(): void {
    if (this.#stopped || this.#failure || this.#written <= this.#offset) return
    if (this.#timer) this.#timer.refresh()
    else this.#timer = setTimeout(() => this.#begin(), silence).unref()
  }

  #isDue(written: number): boolean {
    if (written - this.#offset >= step) return true
    return written > this.#offset && performance.now() - this.#syncedAt >= every
  }

  /** Syncs up to `written`, which all have reached the file. One sync at a time: the record must not go back. */
  async flush(written: number): Promise<void> {
    while (this.#syncing) await this.#syncing
    this.#throwFailure()
    if (written > this.#offset) {
      const sync = this.#syncOrFail(written)
      this.#syncing = sync.catch(() => {}).finally(() => (this.#syncing = null))
      await sync
    }
    await this.#beFound()
  }

  /** No further syncs; waits for a running one and tells what went wrong with any. */
  async stop(): Promise<void> {
    this.#end()
    await this.#syncing
    this.#throwFailure()
  }

  async close(): Promise<void> {
    this.#end()
    await this.#syncing
    await this.#record.close()
  }

  #end(): void {
    this.#stopped = true
    if (this.#timer) clearTimeout(this.#timer)
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }

  /**
   * A failure is final: the system takes pages that it could not write for clean ones, and the next sync would tell of
   * bytes that are not there. Whoever opens the file anew goes on at the offset before.
   */
  async #syncOrFail(written: number): Promise<void> {
    try {
      await this.#sync(written)
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }

  async #sync(written: number): Promise<void> {
    const { size } = await this.#file.stat()
    // Zeros at the end were left out, and more may be arriving behind them: one more zero makes the file long enough,
    // where a truncate would cut off what came since.
    if (size < written) await this.#file.write(zero, 0, 1, written - 1)
    await this.#file.datasync()
    await write(this.#record, written)
    await this.#beFound()
    this.#offset = written
    this.#syncedAt = performance.now()
  }

  /** Once for each process: one that was killed may have left a folder that the disk does not know of. */
  async #beFound(): Promise<void> {
    if (this.#isFound) return
    await syncFolder(this.#folder)
    await syncFolder(dirname(this.#folder))
    this.#isFound = true
  }
}

async function write(record: FileHandle, offset: number): Promise<void> {
  await record.write(String(offset).padStart(width, '0'), 0, 'latin1')
  await record.datasync()
}
