import { createHash, randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Bench, Latency } from '../bench.ts'
import { load } from '../load.ts'
import { allowedCores } from '../machine.ts'
import { startSlipway } from '../peers/slipway.ts'
import { taskset, wrk } from '../programs.ts'
import { pushBytes, putManifest } from '../registry-client.ts'
import { forget, seedBlobs } from '../seed.ts'
import type { Study } from '../study.ts'
import { usageOf } from '../usage.ts'

type Ground = Omit<Bench, 'file'>

const blobs = 1_000_000
const unneededEvery = 100
const connections = 4
const seconds = 5
/** Of processor time in two seconds so much is none. */
const quiet = 0.2
const repository = 'bench/image'
const mediaType = 'application/vnd.oci.image.manifest.v1+json'

const runSchema = z.object({
  state: z.string(),
  startedAt: z.string(),
  finishedAt: z.string().optional(),
  progress: z.object({ removed: z.number().optional(), phase: z.string().optional() }),
})

type Sample = { readonly rate: number; readonly latency: Latency }

/** What those who pull notice of a collection in a large catalog. */
export const gcMillion: Study = {
  name: 'gc-million',
  title: `manifests by digest, ${connections} connections, while a collection goes through ${blobs} blobs of which ${blobs / unneededEvery} are not needed`,
  needs: [wrk, taskset],
  async run(bench) {
    const folder = join(bench.folder, 'gc-million')
    await mkdir(folder, { recursive: true })
    await seed(folder, bench)
    const { idle, busy, run } = await measure(folder, bench)
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    const took = Date.parse(run.finishedAt ?? '') - Date.parse(run.startedAt)
    return {
      headings: ['', 'requests/s', 'p50, ms', 'p99, ms'],
      rows: [row('idle', idle), ...busy.map((sample, at) => row(`collecting, ${at + 1}`, sample))],
      notes: [
        `the collection took ${(took / 1000).toFixed(1)} s beside the requests and removed ${run.progress.removed}`,
        `each row is ${seconds} s; the blobs are rows of the catalog without bytes`,
      ],
    }
  },
}

async function seed(folder: string, bench: Ground): Promise<void> {
  await using resources = new AsyncDisposableStack()
  await startSlipway(folder, bench, resources)
  await resources.disposeAsync()
  bench.say('writing rows')
  seedBlobs(folder, blobs, unneededEvery)
}

async function measure(folder: string, bench: Ground) {
  const [server = 0, clients = 0] = allowedCores()
  await using resources = new AsyncDisposableStack()
  const { base, pid } = await startSlipway(folder, bench, resources, server)
  const url = await pushImage(base, bench)
  const sample = async (): Promise<Sample> => {
    const asked = { connections, seconds, core: clients, headers: [`Accept: ${mediaType}`] }
    const whole = { ...bench, file: { path: '', size: 0, sha256: '' } }
    const { amount, seconds: time, latency } = await load(url, asked, whole)
    return { rate: amount / time, latency }
  }
  await untilQuiet(pid, bench)
  await sample()
  const idle = await sample()
  forget(folder)
  const look = await begin(base, bench)
  const busy: Sample[] = []
  for (let run = await look(); ; run = await look()) {
    if (run.state !== 'running') return { idle, busy, run }
    busy.push(await sample())
  }
}

/** What is looked for after a start is over. */
async function untilQuiet(pid: number | null, { signal }: Ground): Promise<void> {
  for (let before = await cpuOf(pid); ;) {
    await sleep(2000, undefined, { signal })
    const now = await cpuOf(pid)
    if (now - before < quiet) return
    before = now
  }
}

async function cpuOf(pid: number | null): Promise<number> {
  return (await usageOf(pid))?.cpu ?? 0
}

/** @returns what asks for the state of the collection that has begun */
async function begin(base: string, { signal }: Ground) {
  const answer = await fetch(`${base}/api/v1/storage/gc`, { method: 'POST', signal })
  if (answer.status !== 202) throw new Error(`gc: ${answer.status} ${await answer.text()}`)
  const location = base + (answer.headers.get('location') ?? '')
  return async () => runSchema.parse(await (await fetch(location, { signal })).json())
}

async function pushImage(base: string, bench: Ground): Promise<string> {
  const layer = randomBytes(1024)
  const config = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}')
  const part = (bytes: Buffer, type: string) => ({
    mediaType: `application/vnd.oci.image.${type}`,
    digest: digestOf(bytes),
    size: bytes.length,
  })
  for (const bytes of [config, layer]) {
    await pushBytes(base, repository, { digest: digestOf(bytes), bytes }, bench)
  }
  const document = {
    schemaVersion: 2,
    mediaType,
    config: part(config, 'config.v1+json'),
    layers: [part(layer, 'layer.v1.tar')],
  }
  const bytes = Buffer.from(JSON.stringify(document))
  await putManifest(base, repository, 'latest', { bytes, mediaType }, bench)
  return `${base}/v2/${repository}/manifests/${digestOf(bytes)}`
}

function row(title: string, { rate, latency }: Sample): readonly (string | number)[] {
  const milliseconds = (time: number) => (time * 1000).toFixed(2)
  return [title, Math.round(rate), milliseconds(latency.p50), milliseconds(latency.p99)]
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
