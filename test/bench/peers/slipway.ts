import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Bench } from '../bench.ts'
import { freePort, Server } from './server.ts'

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

const created = z.object({
  status: z.object({ imageUploadURLs: z.object({ external: z.string() }) }),
})
const shown = z.object({
  status: z.object({ phase: z.string(), retries: z.number().default(0) }),
})
const manifest = z.object({
  layers: z.tuple([z.object({ digest: z.string(), size: z.number() })]),
})

export type Slipway = {
  readonly pid: number | null
  readonly base: string
  /** The upload URL of a new image. */
  readonly create: (name: string) => Promise<string>
  /** Imports out of a registry; resolves once the image is Ready. */
  readonly importImage: (name: string, image: string) => Promise<void>
  /** Imports from a URL; resolves once the image is Ready. */
  readonly importFile: (name: string, url: string) => Promise<void>
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
  bench: Pick<Bench, 'within' | 'signal'>,
  resources: AsyncDisposableStack,
  core: number | null = null,
  variables: { readonly [variable: string]: string } = {},
): Promise<Slipway> {
  const { signal } = bench
  const listen = `127.0.0.1:${await freePort()}`
  const base = `http://${listen}`
  const launch = {
    program: process.execPath,
    args: [main, 'serve'],
    env: {
      SLIPWAY_LISTEN: listen,
      SLIPWAY_DATA_DIR: dataDir,
      SLIPWAY_LOG_LEVEL: 'warn',
      // Imports come from servers of this bench.
      SLIPWAY_SOURCE_ALLOW: '127.0.0.1',
      ...variables,
    },
    ready: `${base}/readyz`,
    core,
  }
  const { pid } = resources.use(await Server.start(launch, signal))
  const image = (name: string) => `${base}/api/v1/images/${name}`
  return {
    pid,
    base,
    create: (name) => create(base, name, signal),
    importImage: (name, image) =>
      importFrom(base, name, { type: 'ContainerImage', containerImage: { image } }, bench),
    importFile: (name, url) => importFrom(base, name, { type: 'HTTP', http: { url } }, bench),
    disk: (name) => `${image(name)}/disk`,
    layer: (name) => layer(`${base}/v2/cvi/${name}`, signal),
    remove: (name) => remove(image(name), bench),
  }
}

async function create(base: string, name: string, signal: AbortSignal): Promise<string> {
  const response = await post(base, { name, dataSource: { type: 'Upload' } }, signal)
  return created.parse(await response.json()).status.imageUploadURLs.external
}

async function post(base: string, body: object, signal: AbortSignal): Promise<Response> {
  return await asked(`${base}/api/v1/images`, signal, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

async function importFrom(
  base: string,
  name: string,
  dataSource: object,
  { within, signal }: Pick<Bench, 'within' | 'signal'>,
): Promise<void> {
  await post(base, { name, dataSource }, signal)
  await untilReady(
    `${base}/api/v1/images/${name}`,
    AbortSignal.any([AbortSignal.timeout(within), signal]),
  )
}

/** A look every 50 ms; one that the service would try again is a failure here. */
async function untilReady(url: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const body: unknown = await (await asked(url, signal)).json()
    const { phase, retries } = shown.parse(body).status
    if (phase === 'Ready') return
    if (phase === 'Failed' || retries > 0) throw new Error(`${url}: ${JSON.stringify(body)}`)
    await sleep(50, undefined, { signal })
  }
}

async function layer(repository: string, signal: AbortSignal): Promise<Layer> {
  const response = await asked(`${repository}/manifests/latest`, signal)
  const [{ digest, size }] = manifest.parse(await response.json()).layers
  return { url: `${repository}/blobs/${digest}`, size, digest }
}

async function remove(
  url: string,
  { within, signal }: Pick<Bench, 'within' | 'signal'>,
): Promise<void> {
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
