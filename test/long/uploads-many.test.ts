import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { imageSchema } from '../../src/image/status.ts'
import { mebibyte } from '../support/disks.ts'
import { content } from '../support/http-neighbour.ts'
import { expectOnly } from '../support/leftovers.ts'
import { peakMemory, tellsMemory } from '../support/peak-memory.ts'
import { Random } from '../support/random.ts'
import { sendResuming, type Cut } from '../support/resuming-upload.ts'
import { startService } from '../support/service.ts'

/** LONG_SEED=7 npm run long cuts elsewhere. */
const seed = Number(process.env['LONG_SEED'] ?? 20_269)
const uploads = 200
const size = 64 * mebibyte
const mostCuts = 3
/** Measured are 342 to 380 MiB; what is held for each upload shows here two hundredfold. */
const mostMemory = 512 * mebibyte
const deadline = 900_000

/** Of the file that a seed stands for, by its pieces. */
function sha256(seed: number): string {
  const hash = createHash('sha256')
  for (let at = 0; at < size; at += mebibyte) hash.update(content(mebibyte, at, seed))
  return hash.digest('hex')
}

function cutsOf(random: Random): readonly Cut[] {
  return Array.from({ length: random.below(mostCuts + 1) }, () => ({
    after: random.below(size / 2),
    how: random.pick(['end', 'reset']),
  }))
}

describe.skipIf(!tellsMemory())('many uploads', () => {
  test(
    `of 64 MiB, ${uploads} at the same time with cuts, all get Ready in little memory (seed ${seed})`,
    { timeout: deadline },
    async () => {
      await using service = await startService()
      const random = new Random(seed)
      const names = Array.from({ length: uploads }, (_, nth) => `it-${1000 + nth}`)
      const plans: { name: string; url: string; cuts: readonly Cut[] }[] = []
      for (const name of names) {
        plans.push({ name, url: await service.rest.createUpload(name), cuts: cutsOf(random) })
      }
      const sent = await Promise.all(
        plans.map(async ({ name, url, cuts }, nth) => {
          const read = (length: number, offset: number) => content(length, offset, nth)
          const { sent, body } = await sendResuming({ url, size, read, cuts })
          const { status } = imageSchema.parse(JSON.parse(body))
          expect(status).toMatchObject({ phase: 'Ready', source: { bytes: String(size) } })
          return { name, sent, sha256: status.source?.sha256 }
        }),
      )
      const peak = await peakMemory(service.pid)
      console.log(`${Math.round(peak / mebibyte)} MiB at most`)
      expect(sent.map(({ sha256 }) => sha256)).toEqual(names.map((_, nth) => sha256(nth)))
      // A cut costs what was on its way: what lies in the buffers of two sockets.
      const whole = uploads * size
      const cuts = plans.reduce((sum, { cuts }) => sum + cuts.length, 0)
      expect(sent.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThanOrEqual(
        whole + cuts * 8 * mebibyte,
      )
      await expectOnly(service.folder, names)
      expect(peak).toBeLessThan(mostMemory)
    },
  )
})
