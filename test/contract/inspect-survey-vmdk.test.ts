import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Bug, Failure } from '../../src/errors.ts'
import { survey, type Survey } from '../../src/inspect/survey.ts'
import { noise } from '../fixtures/noise.ts'
import { streamOptimized, vmdk, type VmdkOptions } from '../fixtures/vmdk.ts'
import { needs } from '../support/programs.ts'

const never = new AbortController().signal
const sector = 512

type Seen = { readonly survey: Survey | null; readonly read: number; readonly longest: number }

async function look(bytes: Buffer): Promise<Seen> {
  const lengths: number[] = []
  const read = (offset: number, length: number) => {
    const found = Buffer.from(bytes.subarray(offset, offset + length))
    lengths.push(found.length)
    return Promise.resolve(found)
  }
  const found = await survey('vmdk', { size: bytes.length, read }, never)
  const total = lengths.reduce((sum, length) => sum + length, 0)
  return { survey: found, read: total, longest: Math.max(...lengths) }
}

const allocated = async (bytes: Buffer) => (await look(bytes)).survey?.allocatedBytes

function changed(bytes: Buffer, offset: number, value: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt32LE(value, offset)
  return copy
}

const inTable = 27 * sector
const inDirectory = 26 * sector

describe('the tables of a VMDK', () => {
  test('tell what is allocated', async () => {
    expect(await allocated(vmdk())).toBe(65_536)
    expect(await allocated(streamOptimized())).toBe(65_536)
    expect(await allocated(vmdk({ capacity: 3n }))).toBe(1536)
    expect(await allocated(changed(vmdk(), inTable + 4, 100))).toBe(131_072)
    expect(await allocated(changed(vmdk(), inDirectory, 0))).toBe(0)
  })

  test('may say that a grain reads as zeros, where the flag for that is set', async () => {
    const zeros = (options: VmdkOptions) => changed(vmdk(options), inTable + 4, 1)
    expect(await allocated(zeros({ flags: 7 }))).toBe(65_536)
    expect(await allocated(zeros({ flags: 3 }))).toBe(131_072)
  })

  test.each([
    ['a grain behind the end', changed(vmdk(), inTable, 129)],
    ['a table behind the end', changed(vmdk(), inDirectory, 256)],
    [
      'a table that the end cuts',
      changed(vmdk(), inDirectory, 255).subarray(0, 255 * sector + 255),
    ],
    ['a directory that the end cuts', vmdk({ directory: 255n }).subarray(0, 255 * sector + 3)],
    ['a compressed grain behind the end', changed(streamOptimized(), inTable, 259)],
    ['the last compressed grain cut', changed(streamOptimized(), 128 * sector + 8, 2_000_000)],
  ])('are refused with %s', async (_title, bytes) => {
    await expect(look(bytes)).rejects.toMatchObject({
      code: 'INVALID_HEADER',
      message: expect.stringMatching(/ends?|end at byte .* cut short/),
    })
  })

  test('are refused when they are more than the file can hold', async () => {
    const file = vmdk({ capacity: 2n ** 26n, grain: 8n, directory: 130n, secondDirectory: 130n })
    const large = Buffer.concat([file, Buffer.alloc(100_000)])
    for (let entry = 0; entry < 16_384; entry += 1) {
      if (130 * sector + entry * 4 + 4 > large.length) break
      large.writeUInt32LE(1, 130 * sector + entry * 4)
    }
    await expect(look(large)).rejects.toMatchObject({ code: 'INVALID_HEADER' })
  })

  test('are refused when tiny ones, of which nobody makes any, would cause a reading each', async () => {
    const header = vmdk({ capacity: 200_000n * 8n, grain: 8n, tableEntries: 1, directory: 130n })
    const large = Buffer.concat([header, Buffer.alloc(800_000)])
    // Two tables that take turns are never one behind the other.
    for (let entry = 0; entry < 200_000; entry += 1) {
      large.writeUInt32LE(entry % 2 === 0 ? 20 : 24, 130 * sector + entry * 4)
    }
    await expect(look(large)).rejects.toMatchObject({
      code: 'INVALID_HEADER',
      message: expect.stringContaining('more grain tables than the file has room for'),
    })
  })

  test('cost no more than the file is long, whatever bits are flipped', async () => {
    const file = vmdk()
    const answers = new Map<string, number>()
    let state = 5
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    for (let run = 0; run < 400; run += 1) {
      const spoilt = Buffer.from(file)
      const at = [inDirectory, inTable, inTable + 64][random(3)] ?? 0
      spoilt.writeUInt8(spoilt.readUInt8(at + random(4)) ^ (1 << random(8)), at + random(4))
      const answer = await look(spoilt).then(
        ({ read, longest }) => {
          expect(read).toBeLessThanOrEqual(2 * file.length + 1024)
          expect(longest).toBeLessThanOrEqual(1_048_576)
          return 'accepted'
        },
        (error: unknown) => {
          if (!(error instanceof Failure) || error instanceof Bug) throw error
          return error.code
        },
      )
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
    expect([...answers.keys()].sort()).toEqual(['INVALID_HEADER', 'accepted'])
  })
})

const mapSchema = z.array(z.object({ length: z.number(), data: z.boolean() }))

describe.skipIf(!needs('qemu-img', 'apt-get install qemu-utils'))('a VMDK of qemu-img', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'slipway-vmdk-'))
    const pieces = [noise(300_000), Buffer.alloc(2_000_000), noise(700_448), Buffer.alloc(4000)]
    writeFileSync(join(folder, 'raw'), Buffer.concat(pieces).subarray(0, 3_000_320))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const run = (...args: readonly string[]) =>
    execFileSync('qemu-img', args, { cwd: folder, encoding: 'utf8', timeout: 30_000 })

  test.each([['monolithicSparse'], ['monolithicSparse,zeroed_grain=on'], ['streamOptimized']])(
    '(%s) holds what qemu-img map tells, and is refused when it is cut',
    async (subformat) => {
      run('convert', '-O', 'vmdk', '-o', `subformat=${subformat}`, '-S', '0', 'raw', 'a.vmdk')
      run('convert', '-O', 'vmdk', '-o', `subformat=${subformat}`, 'raw', 'b.vmdk')
      for (const name of ['a.vmdk', 'b.vmdk']) {
        const map = mapSchema.parse(JSON.parse(run('map', '-f', 'vmdk', '--output=json', name)))
        const told = map.filter(({ data }) => data).reduce((sum, { length }) => sum + length, 0)
        const bytes = readFileSync(join(folder, name))
        expect(await allocated(bytes)).toBe(told)
        // QEMU fills the last grain up, of which the disk uses 51200 bytes.
        for (const cut of [16_000, 65_536, 300_000]) {
          const short = bytes.subarray(0, bytes.length - cut)
          await expect(look(short)).rejects.toMatchObject({ code: 'INVALID_HEADER' })
        }
      }
    },
  )
})
