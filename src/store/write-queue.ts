import type { StagedFile } from './staged-file.ts'

/** What takes the bytes, perhaps a part of them only. */
export type Target = Pick<StagedFile, 'write'>

type Waiting = {
  readonly bytes: Buffer
  readonly position: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * One write of a file at a time: the kernel lets no two in, and threads that wait for each other there burn a core. What
 * came in the meantime and lies side by side goes in one call.
 */
export class WriteQueue {
  readonly #file: Target
  readonly #waiting: Waiting[] = []
  #running = false

  constructor(file: Target) {
    this.#file = file
  }

  /** Resolves when the file has the bytes. */
  async write(bytes: Buffer, position: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ bytes, position, resolve, reject })
    if (!this.#running) void this.#run()
    await promise
  }

  async #run(): Promise<void> {
    this.#running = true
    for (let batch = this.#take(); batch[0]; batch = this.#take()) {
      try {
        await this.#writeAll(
          batch.map(({ bytes }) => bytes),
          batch[0].position,
        )
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#running = false
  }

  /** The first that waits and what follows right behind it. */
  #take(): Waiting[] {
    let end = this.#waiting[0]?.position
    const count = this.#waiting.findIndex(({ bytes, position }) => {
      if (position !== end) return true
      end = position + bytes.length
      return false
    })
    return this.#waiting.splice(0, count === -1 ? this.#waiting.length : count)
  }

  /** A disk that is nearly full takes a part. */
  async #writeAll(buffers: readonly Buffer[], start: number): Promise<void> {
    let rest = buffers
    for (let position = start; rest.length > 0;) {
      const written = await this.#file.write(rest, position)
      position += written
      rest = after(rest, written)
    }
  }
}

function after(buffers: readonly Buffer[], written: number): readonly Buffer[] {
  let left = written
  return buffers.flatMap((bytes) => {
    const done = Math.min(left, bytes.length)
    left -= done
    return done === bytes.length ? [] : [bytes.subarray(done)]
  })
}
