import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { formatSize } from '../../../src/image/size.ts'
import type { Bench } from '../bench.ts'
import { run } from '../command.ts'
import { median } from '../statistics.ts'
import { StoredFolder } from '../stored.ts'
import type { Findings, Study } from '../study.ts'

type Ground = Omit<Bench, 'file'>

const images = 1_000
const manifests = 100_000
/** Each repository has so many manifests, and a tag on one of ten. */
const each = 100
const perTag = 10
const diskSize = 64 * 1024

const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

/** How long the catalog of a large installation takes to be made from the storage alone, on the disk that is measured. */
export const rebuildStudy: Study = {
  name: 'rebuild',
  title: `slipway rebuild of ${images} images and ${manifests} small manifests, medians of the rounds`,
  needs: [],
  async run(bench) {
    const folder = join(bench.folder, 'rebuild')
    bench.say('writing what is stored')
    await fill(folder, bench)
    const lost: number[] = []
    const sound: number[] = []
    for (let round = 0; round < bench.rounds; round += 1) {
      for (const end of ['', '-wal', '-shm']) {
        await rm(join(folder, `catalog.sqlite${end}`), { force: true })
      }
      await run('sync', ['--file-system', bench.folder], bench.within, bench.signal)
      lost.push(await timed(folder, images + manifests, bench))
      sound.push(await timed(folder, 0, bench))
      bench.say(`round ${round + 1}: ${lost.at(-1)?.toFixed(1)} s, ${sound.at(-1)?.toFixed(1)} s`)
    }
    const { size } = await stat(join(folder, 'catalog.sqlite'))
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    return findings(lost, sound, size)
  },
}

async function fill(folder: string, { signal }: Ground): Promise<void> {
  const stored = new StoredFolder(folder)
  for (let index = 0; index < images; index += 1) {
    signal.throwIfAborted()
    await stored.image(`image-${index}`, diskSize, Date.now())
  }
  for (let from = 0; from < manifests; from += each) {
    signal.throwIfAborted()
    await Promise.all(
      Array.from({ length: each }, async (_, nth) => {
        await stored.manifest(`team-${from / each}/app`, nth, nth % perTag === 0)
      }),
    )
  }
}

const told = z.object({ added: z.object({ images: z.number(), manifests: z.number() }) })

/** Seconds of one rebuild, which has to add so many manifests. */
async function timed(folder: string, expected: number, bench: Ground): Promise<number> {
  const begun = performance.now()
  const args = [`SLIPWAY_DATA_DIR=${folder}`, process.execPath, program, 'rebuild', '-o', 'json']
  const { added } = told.parse(JSON.parse(await run('env', args, bench.within * 10, bench.signal)))
  if (added.manifests === expected) return (performance.now() - begun) / 1000
  throw new Error(`${added.manifests} manifests were added instead of ${expected}`)
}

function findings(lost: readonly number[], sound: readonly number[], size: number): Findings {
  const row = (title: string, seconds: readonly number[]) => [
    title,
    median(seconds).toFixed(1),
    `${Math.min(...seconds).toFixed(1)} to ${Math.max(...seconds).toFixed(1)}`,
  ]
  return {
    headings: ['the catalog', 'seconds', 'min to max'],
    rows: [row('is lost', lost), row('is sound', sound)],
    notes: [
      `The catalog has ${formatSize(size)} afterwards. One manifest in ${perTag} has a tag, each a configuration of its own.`,
    ],
  }
}
