import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import type { Program } from '../programs.ts'
import { freePort, Server } from './server.ts'

/** CNCF distribution as Debian packs it. */
export const dockerRegistry: Program = { name: 'docker-registry', package: 'docker-registry' }
/** The newest one. */
export const distribution: Program = { name: 'registry', package: null, builtBy: '.ci/tools' }

export type DockerRegistry = {
  readonly pid: number | null
  readonly base: string
  /** Where one PUT uploads a blob. */
  readonly begin: (digest: string) => Promise<string>
  readonly blob: (digest: string) => string
  /** Deletes the bytes of all blobs; the registry's own DELETE would leave them on the disk. */
  readonly clear: () => Promise<void>
}

type Variant = {
  readonly program: Program
  /** The only core that it may run on, null for all. */
  readonly core: number | null
  /** Where it stores its bytes, and how they are removed; in its folder unless said otherwise. */
  readonly elsewhere?: { readonly storage: object; readonly clear: () => Promise<void> }
}

export async function startDockerRegistry(
  folder: string,
  { signal }: Bench,
  resources: AsyncDisposableStack,
  { program, core, elsewhere }: Variant = { program: dockerRegistry, core: null },
): Promise<DockerRegistry> {
  const address = `127.0.0.1:${await freePort()}`
  const storage = join(folder, 'storage')
  const config = join(folder, 'config.yml')
  await mkdir(storage, { recursive: true })
  await writeFile(config, configuration(address, elsewhere?.storage ?? inFolder(storage)))
  const launch = {
    program: program.name,
    args: ['serve', config],
    env: { OTEL_TRACES_EXPORTER: 'none', ...(core !== null && { GOMAXPROCS: '1' }) },
    core,
    ready: `http://${address}/v2/`,
  }
  const { pid } = resources.use(await Server.start(launch, signal))
  const repository = `http://${address}/v2/x`
  return {
    pid,
    base: `http://${address}`,
    begin: (digest) => begin(`${repository}/blobs/uploads/`, digest, signal),
    blob: (digest) => `${repository}/blobs/${digest}`,
    clear:
      elsewhere?.clear ?? (() => rm(join(storage, 'docker'), { recursive: true, force: true })),
  }
}

/** YAML takes JSON. Without tracing and with its cache it has nothing to do but its work. */
function configuration(addr: string, storage: object): string {
  return JSON.stringify({
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { ...storage, cache: { blobdescriptor: 'inmemory' } },
    http: { addr },
  })
}

function inFolder(rootdirectory: string) {
  return { filesystem: { rootdirectory } }
}

const answerWithin = 30_000

async function begin(url: string, digest: string, signal: AbortSignal): Promise<string> {
  const bounded = AbortSignal.any([AbortSignal.timeout(answerWithin), signal])
  const response = await fetch(url, { method: 'POST', signal: bounded })
  const location = response.headers.get('location')
  if (location === null) throw new Error(`${url} answered ${response.status}`)
  const session = new URL(location, url)
  session.searchParams.set('digest', digest)
  return session.href
}
