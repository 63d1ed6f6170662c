import { join } from 'node:path'
import type { Bench, Contender, Measurement } from '../bench.ts'
import { assertDigest, send } from '../client.ts'
import {
  dockerRegistry,
  startDockerRegistry,
  type DockerRegistry,
} from '../peers/docker-registry.ts'
import { copyAndHash } from '../peers/limit.ts'
import { startSlipway, type Slipway } from '../peers/slipway.ts'
import { curl, openssl } from '../programs.ts'

/** From the first byte that a client sends to the answer that all of them are safe. */
export const upload: Measurement = {
  name: 'upload',
  title: 'one client sends random data, until the server has it on its disk',
  unit: 'bytes',
  needs: [curl],
  targets: [{ beside: [dockerRegistry.name], atLeast: 1.5 }],
  async open(bench, resources) {
    return {
      bytes: bench.file.size,
      contenders: [
        await toSlipway(bench, resources),
        await bench.unlessMissing([dockerRegistry], () => toDockerRegistry(bench, resources)),
        await bench.unlessMissing([openssl], async () => copyAndHash(bench)),
      ],
    }
  },
}

async function toSlipway(bench: Bench, resources: AsyncDisposableStack): Promise<Contender> {
  const home = join(bench.folder, 'upload-slipway')
  return uploadsTo(await startSlipway(home, bench, resources), bench)
}

/** The file as an image, which is looked at and removed after each round. */
export function uploadsTo(slipway: Slipway, bench: Bench): Contender {
  const { file } = bench
  const name = 'bench'
  return {
    name: 'slipway',
    pid: slipway.pid,
    begin: async () => {
      const url = await slipway.create(name)
      return {
        run: () => send(file.path, url, bench),
        end: async () => {
          await assertDigest(slipway.disk(name), file.sha256, bench)
          await slipway.remove(name)
        },
      }
    },
  }
}

async function toDockerRegistry(bench: Bench, resources: AsyncDisposableStack): Promise<Contender> {
  const home = join(bench.folder, 'upload-registry')
  return pushesTo(await startDockerRegistry(home, bench, resources), dockerRegistry.name, bench)
}

/** The file as a blob, which is looked at and removed after each round. */
export function pushesTo(registry: DockerRegistry, name: string, bench: Bench): Contender {
  const { file } = bench
  const digest = `sha256:${file.sha256}`
  return {
    name,
    pid: registry.pid,
    begin: async () => {
      const url = await registry.begin(digest)
      return {
        run: () => send(file.path, url, bench),
        end: async () => {
          await assertDigest(registry.blob(digest), file.sha256, bench)
          await registry.clear()
        },
      }
    },
  }
}
