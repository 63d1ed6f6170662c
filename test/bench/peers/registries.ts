import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import type { Program } from '../programs.ts'
import { deleteBlob } from '../registry-client.ts'
import { distribution, dockerRegistry, startDockerRegistry } from './docker-registry.ts'
import { startSlipway } from './slipway.ts'
import { startZot, zot } from './zot.ts'

/** A registry of this bench alone, and empty. */
export type Registry = {
  readonly name: string
  readonly pid: number | null
  /** What all its URLs begin with. */
  readonly base: string
  /** Deletes blobs that no manifest uses, with their bytes. */
  readonly forget: (repository: string, digests: readonly string[]) => Promise<void>
}

/** Names of those that Slipway is measured by. */
export const rivals = ['distribution', dockerRegistry.name, zot.name]

type Where = {
  /** What their folders begin with. */
  readonly prefix: string
  /** The only core that each may run on, null for all. */
  readonly core: number | null
}

/** Slipway, distribution (an older one, where the newest is not there) and zot, as far as they are installed. */
export async function startRegistries(
  where: Where,
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<readonly Registry[]> {
  const slipway = await startSlipway(
    folderOf('slipway', where, bench),
    bench,
    resources,
    where.core,
  )
  const started = [
    { name: 'slipway', ...slipway, forget: forgetBlobs(slipway.base, bench) },
    (await anyDistribution('distribution', distribution, where, bench, resources)) ??
      (await anyDistribution(dockerRegistry.name, dockerRegistry, where, bench, resources)),
    await bench.unlessMissing([zot], () => anyZot('zot', true, where, bench, resources)),
  ]
  return started.filter((registry) => registry !== null)
}

/** zot as it is without configuration: what it says is stored may be in memory only. */
export async function startUnsyncedZot(
  where: Where,
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Registry | null> {
  return await bench.unlessMissing([zot], () =>
    anyZot('zot, unsynced', false, where, bench, resources),
  )
}

async function anyDistribution(
  name: string,
  program: Program,
  where: Where,
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Registry | null> {
  return await bench.unlessMissing([program], async () => {
    const folder = folderOf(program.name, where, bench)
    const { core } = where
    const registry = await startDockerRegistry(folder, bench, resources, { program, core })
    return { name, pid: registry.pid, base: registry.base, forget: () => registry.clear() }
  })
}

async function anyZot(
  name: string,
  synced: boolean,
  where: Where,
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Registry> {
  const folder = folderOf(synced ? 'zot' : 'zot-unsynced', where, bench)
  const server = await startZot(folder, bench, resources, { synced, core: where.core })
  return { name, ...server, forget: forgetBlobs(server.base, bench) }
}

function folderOf(name: string, { prefix }: Where, { folder }: Bench): string {
  return join(folder, `${prefix}-${name}`)
}

function forgetBlobs(base: string, bench: Bench): Registry['forget'] {
  return async (repository, digests) => {
    for (const digest of digests) await deleteBlob(base, repository, digest, bench)
  }
}
