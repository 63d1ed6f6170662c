type Waiting = { readonly size: number; readonly resolve: (buffer: Buffer) => void }

/** A quarter is kept for bytes that are here already and only have to go out: no slow sender can hold it. */
const reserved = 0.25

/**
 * Memory for bytes on their way to the bucket, shared by all transfers. What is given back is used again for the same size,
 * and let go when another size needs the room.
 */
export class BufferPool {
  readonly #limit: number
  readonly #free: Buffer[] = []
  readonly #waiting: Waiting[] = []
  readonly #offered = new Map<Buffer, () => void>()
  #used = 0

  /** @param limit bytes of all buffers together */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes that are in use. */
  get used(): number {
    return this.#used
  }

  /** For a transfer whose bytes come at the pace of others; null when there is no room. */
  take(size: number): Buffer | null {
    return this.#grant(size, this.#limit * (1 - reserved))
  }

  /** For bytes that are here: waits until there is room, which takes no longer than the storage does. */
  async wait(size: number, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted()
    const now = this.#waiting.length === 0 ? this.#grant(size, this.#limit) : null
    if (now) return now
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const waiting = { size, resolve }
    const stop = () => {
      const place = this.#waiting.indexOf(waiting)
      if (place !== -1) this.#waiting.splice(place, 1)
      reject(signal.reason)
    }
    this.#waiting.push(waiting)
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  give(buffer: Buffer): void {
    this.#offered.delete(buffer)
    this.#used -= buffer.length
    this.#free.push(buffer)
    this.#serve()
  }

  /** The bytes lie elsewhere, too: whoever needs the room may take it, which `taken` is told. */
  offer(buffer: Buffer, taken: () => void): void {
    this.#offered.set(buffer, taken)
    this.#serve()
  }

  /** Takes an offer back; false when it was taken. */
  keep(buffer: Buffer): boolean {
    return this.#offered.delete(buffer)
  }

  #serve(): void {
    for (let [next] = this.#waiting; next; [next] = this.#waiting) {
      const buffer = this.#grant(next.size, this.#limit)
      if (!buffer) return
      this.#waiting.shift()
      next.resolve(buffer)
    }
  }

  #grant(size: number, limit: number): Buffer | null {
    this.#reclaim(size, limit)
    // One that alone is larger than everything would never come otherwise.
    if (this.#used > 0 && this.#used + size > limit) return null
    this.#used += size
    const place = this.#free.findLastIndex((buffer) => buffer.length === size)
    const [known] = place === -1 ? [] : this.#free.splice(place, 1)
    if (known) return known
    this.#letGo()
    return Buffer.allocUnsafeSlow(size)
  }

  #reclaim(size: number, limit: number): void {
    for (const [buffer, taken] of this.#offered) {
      if (this.#used + size <= limit) return
      this.#offered.delete(buffer)
      taken()
      this.#used -= buffer.length
      this.#free.push(buffer)
    }
  }

  /** Memory goes back at once, not when somebody collects the garbage. */
  #letGo(): void {
    let spare = this.#free.reduce((sum, buffer) => sum + buffer.length, 0)
    while (this.#used + spare > this.#limit) {
      const oldest = this.#free.shift()
      if (!oldest) return
      spare -= oldest.length
      if (oldest.buffer instanceof ArrayBuffer) oldest.buffer.transfer(0)
    }
  }
}
