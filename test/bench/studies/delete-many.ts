import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { eachOf } from '../../../src/work/each-of.ts'
import type { Bench } from '../bench.ts'
import { startSlipway } from '../peers/slipway.ts'
import { seedImages } from '../seed.ts'
import type { Study } from '../study.ts'

type Ground = Omit<Bench, 'file'>

const count = 10_000
const clients = 32
/** Deletions whose time is told apart, to see whether one costs more when there are many. */
const part = 1000

/** How long it takes to delete many images, each with bytes of its own, until the bytes are gone. */
export const deleteMany: Study = {
  name: `delete-${count}`,
  title: `${count} images of three small blobs deleted over REST by ${clients} clients, until all bytes are gone`,
  needs: [],
  async run(bench) {
    const folder = join(bench.folder, 'delete-many')
    await mkdir(folder, { recursive: true })
    const times = await deleteAll(folder, bench)
    const left = await filesBelow(join(folder, 'blobs'))
    if (left > 0) throw new Error(`${left} blobs are left`)
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    const parts = Array.from({ length: count / part }, (_, at) => partAt(times, at))
    return {
      headings: ['', 'seconds', 'a second'],
      rows: [
        ['all', seconds(times.at(-1)), rate(count, times.at(-1))],
        ['the first thousand', seconds(parts[0]), rate(part, parts[0])],
        ['the last thousand', seconds(parts.at(-1)), rate(part, parts.at(-1))],
      ],
      notes: ['each deletion is on the disk before it is answered'],
    }
  },
}

/** When each deletion was answered, in milliseconds since the first was sent. */
async function deleteAll(folder: string, bench: Ground): Promise<readonly number[]> {
  {
    await using resources = new AsyncDisposableStack()
    await startSlipway(folder, bench, resources)
  }
  const names = await seedImages(folder, count)
  await using resources = new AsyncDisposableStack()
  const { base } = await startSlipway(folder, bench, resources)
  const start = performance.now()
  const times: number[] = []
  await eachOf(names, clients, async (name) => {
    const signal = AbortSignal.any([AbortSignal.timeout(bench.within), bench.signal])
    const answer = await fetch(`${base}/api/v1/images/${name}`, { method: 'DELETE', signal })
    if (answer.status !== 202) throw new Error(`${name}: ${answer.status} ${await answer.text()}`)
    times.push(performance.now() - start)
  })
  return times
}

function partAt(times: readonly number[], at: number): number {
  return (times[(at + 1) * part - 1] ?? NaN) - (at === 0 ? 0 : (times[at * part - 1] ?? NaN))
}

const seconds = (milliseconds = NaN) => (milliseconds / 1000).toFixed(2)
const rate = (amount: number, milliseconds = NaN) => Math.round((amount * 1000) / milliseconds)

async function filesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).length
}
