import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Bench } from '../bench.ts'
import { freePort, Server } from './server.ts'

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

const created = z.object({
  status: z.object({ imageUploadURLs: z.object({ external: z.string() }) }),
})
const manifest = z.object({
  layers: z.tuple([z.object({ digest: z.string(), size: z.number() })]),
})

export type Slipway = {
  readonly pid: number | null
  readonly base: string
  /** The upload URL of a new image. */
  readonly create: (name: string) => Promise<string>
  /** Where the disk of an image that is Ready is read. */
  readonly disk: (name: string) => string
  readonly layer: (name: string) => Promise<Layer>
  /** Resolves once the image is gone. */
  readonly remove: (name: string) => Promise<void>
}

export type Layer = {
  readonly url: string
  readonly size: number
  readonly digest: string
}

/** The service of this checkout, on a data folder of its own. */
export async function startSlipway(
  dataDir: string,
  bench: Bench,
  resources: AsyncDisposableStack,
  core: number | null = null,
): Promise<Slipway> {
  const { signal } = bench
  const listen = `127.0.0.1:${await freePort()}`
  const base = `http://${listen}`
  const launch = {
    program: process.execPath,
    args: [main, 'serve'],
    env: { SLIPWAY_LISTEN: listen, SLIPWAY_DATA_DIR: dataDir, SLIPWAY_LOG_LEVEL: 'warn' },
    ready: `${base}/readyz`,
    core,
  }
  const { pid } = resources.use(await Server.start(launch, signal))
  const image = (name: string) => `${base}/api/v1/images/${name}`
  return {
    pid,
    base,
    create: (name) => create(base, name, signal),
    disk: (name) => `${image(name)}/disk`,
    layer: (name) => layer(`${base}/v2/cvi/${name}`, signal),
    remove: (name) => remove(image(name), bench),
  }
}

async function create(base: string, name: string, signal: AbortSignal): Promise<string> {
  const response = await asked(`${base}/api/v1/images`, signal, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, dataSource: { type: 'Upload' } }),
  })
  return created.parse(await response.json()).status.imageUploadURLs.external
}

async function layer(repository: string, signal: AbortSignal): Promise<Layer> {
  const response = await asked(`${repository}/manifests/latest`, signal)
  const [{ digest, size }] = manifest.parse(await response.json()).layers
  return { url: `${repository}/blobs/${digest}`, size, digest }
}

async function remove(url: string, { within, signal }: Bench): Promise<void> {
  await asked(url, signal, { method: 'DELETE' })
  const bounded = AbortSignal.any([AbortSignal.timeout(within), signal])
  while ((await fetch(url, { signal: bounded })).status !== 404) {
    await sleep(50, undefined, { signal: bounded })
  }
}

const answerWithin = 30_000

async function asked(url: string, signal: AbortSignal, init: RequestInit = {}): Promise<Response> {
  const bounded = AbortSignal.any([AbortSignal.timeout(answerWithin), signal])
  const response = await fetch(url, { ...init, signal: bounded })
  if (response.ok) return response
  throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
}
