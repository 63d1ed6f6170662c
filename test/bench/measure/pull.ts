import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench, Contender, Measurement } from '../bench.ts'
import { assertDigest, receive, save, send } from '../client.ts'
import { dockerRegistry, startDockerRegistry } from '../peers/docker-registry.ts'
import { nginx, startNginx } from '../peers/nginx.ts'
import { startSlipway, type Layer } from '../peers/slipway.ts'
import { curl } from '../programs.ts'

/** The same layer from everyone; after the upload it lies in the page cache, as far as that is large enough for all. */
export const pull: Measurement = {
  name: 'pull',
  title: 'one client receives the layer and throws it away',
  unit: 'bytes',
  needs: [curl],
  targets: [{ beside: [dockerRegistry.name], atLeast: 0.8 }],
  async open(bench, resources) {
    const slipway = await startSlipway(join(bench.folder, 'pull-slipway'), bench, resources)
    await send(bench.file.path, await slipway.create('bench'), bench)
    const layer = await slipway.layer('bench')
    const kept = await keep(layer, bench)
    return {
      bytes: layer.size,
      contenders: [
        from('slipway', slipway.pid, layer, bench),
        await bench.unlessMissing([dockerRegistry], () => fromRegistry(kept, bench, resources)),
        await bench.unlessMissing([nginx], () => fromNginx(kept, bench, resources)),
      ],
    }
  },
}

type Kept = Layer & { readonly folder: string; readonly name: string }

async function keep(layer: Layer, bench: Bench): Promise<Kept> {
  const folder = join(bench.folder, 'pull-files')
  const name = 'layer'
  await mkdir(folder)
  await save(layer.url, join(folder, name), bench)
  return { ...layer, folder, name }
}

/** @param pid of the server whose `layer.url` is read */
function from(name: string, pid: number | null, layer: Layer, bench: Bench): Contender {
  const { url, size, digest } = layer
  return {
    name,
    pid,
    begin: async () => ({
      run: async () => {
        const received = await receive(url, bench)
        if (received !== size) throw new Error(`${name} gave ${received} of ${size} bytes`)
      },
      end: () => assertDigest(url, digest.replace('sha256:', ''), bench),
    }),
  }
}

async function fromRegistry(
  layer: Kept,
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Contender> {
  const folder = join(bench.folder, 'pull-registry')
  const registry = await startDockerRegistry(folder, bench, resources)
  await send(join(layer.folder, layer.name), await registry.begin(layer.digest), bench)
  const url = registry.blob(layer.digest)
  return from(dockerRegistry.name, registry.pid, { ...layer, url }, bench)
}

async function fromNginx(
  layer: Kept,
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Contender> {
  const folder = join(bench.folder, 'pull-nginx')
  const server = await startNginx(folder, layer.folder, bench, resources)
  return from(nginx.name, server.pid, { ...layer, url: server.url(layer.name) }, bench)
}
