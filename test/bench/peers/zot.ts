import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import type { Program } from '../programs.ts'
import { freePort, Server } from './server.ts'

/** It is not to be had as a Go module. */
export const zot: Program = {
  name: 'zot',
  package: null,
  builtBy: 'its own makefile; put it on the PATH',
}

type Variant = {
  /** Whether bytes are brought to the disk before an answer says that they are there. */
  readonly synced: boolean
  /** The only core that it may run on, null for all. */
  readonly core: number | null
}

export async function startZot(
  folder: string,
  { signal }: Pick<Bench, 'signal'>,
  resources: AsyncDisposableStack,
  { synced, core }: Variant,
): Promise<{ readonly pid: number | null; readonly base: string }> {
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const config = join(folder, 'config.json')
  await mkdir(folder, { recursive: true })
  await writeFile(config, configuration(port, join(folder, 'storage'), synced))
  const launch = {
    program: zot.name,
    args: ['serve', config],
    env: core === null ? {} : { GOMAXPROCS: '1' },
    core,
    ready: `${base}/v2/`,
  }
  const { pid } = resources.use(await Server.start(launch, signal))
  return { pid, base }
}

/** Its own limits would cut a slow push; all else that is not work is off. */
function configuration(port: number, rootDirectory: string, commit: boolean): string {
  return JSON.stringify({
    distSpecVersion: '1.1.1',
    storage: { rootDirectory, commit, gc: false },
    http: { address: '127.0.0.1', port: String(port), readTimeout: '2h', writeTimeout: '2h' },
    log: { level: 'error', output: '/dev/null' },
  })
}
