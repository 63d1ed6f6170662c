import { open, type FileHandle } from 'node:fs/promises'

/**
 * Brings commits to the disk without standing still meanwhile. SQLite would sync its write-ahead log within each commit, on
 * the one thread that answers everybody; here the log is synced in the background, once for all commits that wait.
 *
 * What SQLite does by itself with `synchronous = NORMAL` (read in its `walCheckpoint` and `sqlite3WalFrames`), so that nothing
 * but the commits is left to do here:
 * - A checkpoint syncs the log before it copies pages to the database, and the database before the log may be written from
 *   its start again, or is cut. At each moment a commit is whole in one of them. So is the checkpoint at the close.
 * - The first commit after that syncs the log with its new head before the frames, so that old frames are never taken for
 *   new ones; and the first sync of a new log file syncs its folder, in which the database is named, too.
 */
export class WalSync implements AsyncDisposable {
  readonly #log: FileHandle
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null
  /** Commits that came before a sync that failed may be lost, whatever a later one says. */
  #isInDoubt = false
  readonly #empty: () => Promise<void>

  private constructor(log: FileHandle, empty: () => Promise<void>) {
    this.#log = log
    this.#empty = empty
  }

  /**
   * @param path of the database, whose log has to be there: SQLite keeps one file of it as long as a connection is open
   * @param empty brings all of the log to the database and syncs that, or throws
   */
  static async open(path: string, empty: () => Promise<void>): Promise<WalSync> {
    return new WalSync(await open(`${path}-wal`, 'r+'), empty)
  }

  /**
   * Resolves when everything that was committed before the call survives a power cut. After a failure no sync of the log is
   * believed any more: the system takes pages that it could not write for clean ones, and the next sync would tell of a log
   * with a hole. Then the log has to be emptied first.
   */
  async sync(): Promise<void> {
    // One that runs already may have begun before the commit.
    this.#next ??= this.#afterRunning()
    await this.#next
  }

  async #afterRunning(): Promise<void> {
    // Whoever waits for the one that runs hears of its failure.
    await this.#running?.catch(() => {})
    this.#running = this.#next
    this.#next = null
    if (this.#isInDoubt) return await this.#beginAnew()
    try {
      await this.#log.datasync()
    } catch (error) {
      this.#isInDoubt = true
      throw error
    }
  }

  /** What was in doubt is written once more, to another place. */
  async #beginAnew(): Promise<void> {
    await this.#empty()
    this.#isInDoubt = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#running, this.#next])
    await this.#log.close()
  }
}
