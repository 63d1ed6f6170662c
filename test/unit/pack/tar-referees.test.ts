import { randomBytes } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, type TestContext, test } from 'vitest'
import { type Format, formats } from '../../../src/image/format.ts'
import { diskName, headSize, layerHead, layerSize, layerTail } from '../../../src/pack/tar-frame.ts'
import { type Referee, referees } from './referees.ts'

/** Above what the octal size field can say. */
const large = 9 * 1024 ** 3

const boundaries: [Format, number][] = [
  ['qcow2', 1],
  ['raw', 511],
  ['iso', 512],
  ['vhdx', 513],
]
const anySize = fc.integer({ min: 1, max: 65_536 })

describe.each(referees)('$program', (referee) => {
  test('lists and extracts what was packed', ({ skip }) => {
    need(referee, skip)
    fc.assert(
      fc.property(fc.constantFrom(...formats), anySize, (format, size) => {
        const disk = randomBytes(size)
        const layer = Buffer.concat([layerHead(format, size), disk, layerTail(size)])
        expect(referee.list('-', layer)).toEqual(listed(format, size))
        expect(referee.extract(`disk/${diskName(format)}`, layer).equals(disk)).toBe(true)
      }),
      { numRuns: referee.runs, examples: boundaries },
    )
  })

  test('lists a disk of 9 GiB', async ({ skip }) => {
    need(referee, skip)
    await withLargeLayer((path) => {
      expect(referee.list(path)).toEqual(listed('raw', large))
    })
  })
})

function need(referee: Referee, skip: TestContext['skip']): void {
  if (!referee.present && referee.required && process.env['CI']) {
    throw new Error(`${referee.program} is missing; continuous integration must have it`)
  }
  skip(!referee.present, `${referee.program} is not installed`)
}

function listed(format: Format, size: number) {
  const common = { owner: '107/107', mtime: '1970-01-01 00:00' }
  return [
    { ...common, mode: 'drwxr-xr-x', size: 0, name: 'disk/' },
    { ...common, mode: '-r--r--r--', size, name: `disk/${diskName(format)}` },
  ]
}

/** Only head and tail are written, so that 9 GiB take a few KiB. */
async function withLargeLayer(use: (path: string) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-pack-'))
  try {
    const path = join(folder, 'layer.tar')
    await writeLargeLayer(path)
    use(path)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function writeLargeLayer(path: string): Promise<void> {
  await using file = await open(path, 'w')
  await file.truncate(layerSize(large))
  await file.write(layerHead('raw', large), 0, headSize, 0)
  const tail = layerTail(large)
  await file.write(tail, 0, tail.length, headSize + large)
}
