import { readFile, rm, stat } from 'node:fs/promises'
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
    const lost: Ran[] = []
    const sound: Ran[] = []
    for (let round = 0; round < bench.rounds; round += 1) {
      for (const end of ['', '-wal', '-shm']) {
        await rm(join(folder, `catalog.sqlite${end}`), { force: true })
      }
      await run('sync', ['--file-system', bench.folder], bench.within, bench.signal)
      lost.push(await timed(folder, images + manifests, bench))
      sound.push(await timed(folder, 0, bench))
      bench.say(`round ${round + 1}: ${[lost, sound].map(lastOf).join(', ')}`)
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

/** Seconds on the clock and of processor time, and the most memory in bytes. */
type Ran = { readonly seconds: number; readonly cpu: number; readonly memory: number }

const told = z.object({ added: z.object({ images: z.number(), manifests: z.number() }) })
const usage = z.object({ userCPUTime: z.number(), systemCPUTime: z.number(), maxRSS: z.number() })

/** The command tells at its end what it has used. */
const hook = `data:text/javascript,${encodeURIComponent(`import { writeFileSync } from 'node:fs'
process.on('exit', () => writeFileSync(process.env.USAGE, JSON.stringify(process.resourceUsage())))`)}`

/** One rebuild, which has to add so many manifests. */
async function timed(folder: string, expected: number, bench: Ground): Promise<Ran> {
  const file = `${folder}-usage`
  const begun = performance.now()
  const variables = [`SLIPWAY_DATA_DIR=${folder}`, `USAGE=${file}`]
  const args = [...variables, process.execPath, '--import', hook, program, 'rebuild', '-o', 'json']
  const { added } = told.parse(JSON.parse(await run('env', args, bench.within * 10, bench.signal)))
  const seconds = (performance.now() - begun) / 1000
  if (added.manifests !== expected) {
    throw new Error(`${added.manifests} manifests were added instead of ${expected}`)
  }
  const used = usage.parse(JSON.parse(await readFile(file, 'utf8')))
  await rm(file)
  const cpu = (used.userCPUTime + used.systemCPUTime) / 1e6
  return { seconds, cpu, memory: used.maxRSS * 1024 }
}

function lastOf(ran: readonly Ran[]): string {
  const last = ran.at(-1)
  return `${last?.seconds.toFixed(1)} s (${last?.cpu.toFixed(1)} s of processor time)`
}

function findings(lost: readonly Ran[], sound: readonly Ran[], size: number): Findings {
  const row = (title: string, ran: readonly Ran[]) => {
    const seconds = ran.map((each) => each.seconds)
    return [
      title,
      median(seconds).toFixed(1),
      `${Math.min(...seconds).toFixed(1)} to ${Math.max(...seconds).toFixed(1)}`,
      median(ran.map(({ cpu }) => cpu)).toFixed(1),
      formatSize(median(ran.map(({ memory }) => memory))),
    ]
  }
  return {
    headings: ['the catalog', 'seconds', 'min to max', 'processor seconds', 'peak memory'],
    rows: [row('is lost', lost), row('is sound', sound)],
    notes: [
      `The catalog has ${formatSize(size)} afterwards. One manifest in ${perTag} has a tag, each a configuration of its own.`,
    ],
  }
}
