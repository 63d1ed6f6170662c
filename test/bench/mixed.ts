const piece = 1024 * 1024
const words = 3000

/** A stretch of numbers that is the same in every run (xorshift, 32 bits). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/**
 * What disks hold, some of each in pages of 4 KiB: zeros (a third), words that come again (two fifths), and what nothing
 * makes smaller. The same bytes in every run.
 */
export function* mixed(size: number): Generator<Buffer> {
  const next = numbers(20_261_124)
  const random = (length: number) => Buffer.from(Uint8Array.from({ length }, () => next() & 0xff))
  const vocabulary = Array.from({ length: words }, () => random(3 + (next() % 10)))
  for (let done = 0; done < size; done += piece) {
    const bytes = Buffer.alloc(Math.min(piece, size - done))
    for (let page = 0; page < bytes.length; page += 4096) {
      const kind = next() % 15
      if (kind < 5) continue
      if (kind < 11) fill(bytes.subarray(page, page + 4096), () => vocabulary[next() % words])
      else
        for (let at = page; at + 4 <= Math.min(page + 4096, bytes.length); at += 4)
          bytes.writeUInt32LE(next(), at)
    }
    yield bytes
  }
}

function fill(page: Buffer, word: () => Buffer | undefined): void {
  for (let at = 0; at < page.length;) at += word()?.copy(page, at) ?? page.length
}
