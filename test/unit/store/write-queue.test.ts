import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { StagedFile } from '../../../src/store/staged-file.ts'
import { giveSlab, slabSize, takeSlab } from '../../../src/store/slabs.ts'
import { WriteQueue } from '../../../src/store/write-queue.ts'
import { noise } from '../../fixtures/noise.ts'
import { temporaryFolder } from '../../support/temporary.ts'

type Write = { readonly position: number; readonly lengths: readonly number[] }

/** A disk that takes at most so many bytes a call, and tells what it was asked to write. */
function reluctant(file: StagedFile, most: number, writes: Write[]): Pick<StagedFile, 'write'> {
  return {
    async write(buffers, position) {
      writes.push({ position, lengths: buffers.map(({ length }) => length) })
      const bytes = Buffer.concat(buffers).subarray(0, most)
      return await file.write([bytes], position)
    },
  }
}

async function opened() {
  const folder = await temporaryFolder()
  const path = join(folder.path, 'data')
  const file = await StagedFile.open(path, 'wx+')
  return {
    file,
    content: () => readFile(path),
    async [Symbol.asyncDispose]() {
      await file[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

describe('a write queue', () => {
  test('writes what lies side by side in one call, and leaves gaps alone', async () => {
    await using on = await opened()
    const writes: Write[] = []
    const queue = new WriteQueue(reluctant(on.file, Infinity, writes))
    const [a, b, c, d] = [1, 2, 3, 4].map((seed) => noise(1000, seed))
    if (!a || !b || !c || !d) throw new Error('no noise')
    await Promise.all([
      queue.write(a, 0),
      queue.write(b, 1000),
      queue.write(c, 2000),
      queue.write(d, 5000),
    ])
    expect(writes).toEqual([
      { position: 0, lengths: [1000] },
      { position: 1000, lengths: [1000, 1000] },
      { position: 5000, lengths: [1000] },
    ])
    const gap = Buffer.alloc(2000)
    expect((await on.content()).equals(Buffer.concat([a, b, c, gap, d]))).toBe(true)
  })

  test('goes on where a disk took a part', async () => {
    await using on = await opened()
    const writes: Write[] = []
    const queue = new WriteQueue(reluctant(on.file, 700, writes))
    const pieces = [noise(1000, 1), noise(500, 2), noise(900, 3)]
    let position = 0
    const all = pieces.map((piece) => {
      const written = queue.write(piece, position)
      position += piece.length
      return written
    })
    await Promise.all(all)
    expect((await on.content()).equals(Buffer.concat(pieces))).toBe(true)
    expect(writes.length).toBeGreaterThan(3)
  })

  test('fails what was to be written, and writes what comes later', async () => {
    await using on = await opened()
    let broken = true
    const queue = new WriteQueue({
      write: (buffers, position) =>
        broken ? Promise.reject(new Error('no space')) : on.file.write(buffers, position),
    })
    await expect(queue.write(noise(10), 0)).rejects.toThrow('no space')
    broken = false
    await queue.write(noise(10), 0)
    expect((await on.content()).equals(noise(10))).toBe(true)
  })
})

describe('a staged file', () => {
  test('takes whole slabs and any other bytes, in any order of the two', async () => {
    await using on = await opened()
    const slab = takeSlab()
    if (!slab) throw new Error('no slab is free')
    noise(slabSize).copy(slab)
    try {
      expect(await on.file.write([slab], 0)).toBe(slabSize)
      expect(await on.file.write([slab.subarray(0, 777)], slabSize)).toBe(777)
      expect(await on.file.write([slab.subarray(0, 4096)], slabSize + 777)).toBe(4096)
    } finally {
      giveSlab(slab)
    }
    const whole = noise(slabSize)
    const wanted = Buffer.concat([whole, whole.subarray(0, 777), whole.subarray(0, 4096)])
    expect((await on.content()).equals(wanted)).toBe(true)
  })
})
