import { join } from 'node:path'
import type { Bench, Contender, Measurement, RandomFile } from '../bench.ts'
import { assertDigest } from '../client.ts'
import { copyAndHash } from '../peers/limit.ts'
import { rivals, startRegistries, startUnsyncedZot, type Registry } from '../peers/registries.ts'
import { pieces, sizeOf } from '../pieces.ts'
import { curl, openssl } from '../programs.ts'
import { blobUrl, pushFile } from '../registry-client.ts'

/** From the first request to the last answer that a blob is there: the same bytes from one client, and from many. */
export const push: readonly Measurement[] = [
  pushing(1, 'push', 'one client pushes the file as one blob'),
  pushing(32, 'push-32', '32 clients push a part of the file each, at the same time'),
]

const repository = 'bench/push'

function pushing(clients: number, name: string, title: string): Measurement {
  return {
    name,
    group: 'push',
    title,
    unit: 'bytes',
    needs: [curl],
    targets: [{ beside: rivals, atLeast: 1.2 }],
    async open(bench, resources) {
      const files = clients === 1 ? [bench.file] : await cut(name, clients, bench)
      const where = { prefix: name, core: null }
      const registries = await startRegistries(where, bench, resources)
      const unsynced = await startUnsyncedZot(where, bench, resources)
      const all = unsynced ? [...registries, unsynced] : registries
      return {
        bytes: sizeOf(files),
        contenders: [
          ...all.map((registry) => to(registry, files, bench)),
          await bench.unlessMissing([openssl], async () => copyAndHash(bench)),
        ],
      }
    },
  }
}

async function cut(name: string, count: number, bench: Bench): Promise<readonly RandomFile[]> {
  return await pieces(count, join(bench.folder, `${name}-pieces`), bench)
}

function to(registry: Registry, files: readonly RandomFile[], bench: Bench): Contender {
  const { name, pid, base, forget } = registry
  const run = async () => {
    await Promise.all(files.map((file) => pushFile(base, repository, file, bench)))
  }
  const end = async () => {
    for (const { sha256 } of files) {
      await assertDigest(blobUrl(base, repository, `sha256:${sha256}`), sha256, bench)
    }
    await forget(
      repository,
      files.map(({ sha256 }) => `sha256:${sha256}`),
    )
  }
  return { name, pid, begin: async () => ({ run, end }) }
}
