import { dirname, join } from 'node:path'
import type { Bench, Contender, Measurement, RandomFile } from '../bench.ts'
import { assertDigest, receive } from '../client.ts'
import { nginx, startNginx } from '../peers/nginx.ts'
import { rivals, startRegistries, type Registry } from '../peers/registries.ts'
import { pieces, sizeOf } from '../pieces.ts'
import { curl } from '../programs.ts'
import { blobUrl, pushFile } from '../registry-client.ts'

/** The same blobs from everyone, thrown away where they arrive; nginx tells what the machine can do. */
export const registryPull: readonly Measurement[] = [
  pulling(1, 'registry-pull', 'one client pulls the file as one blob'),
  pulling(32, 'registry-pull-32', '32 clients pull a blob of their own each, at the same time'),
]

const repository = 'bench/pull'

function pulling(clients: number, name: string, title: string): Measurement {
  return {
    name,
    group: 'registry-pull',
    title,
    unit: 'bytes',
    needs: [curl],
    targets: [{ beside: rivals, atLeast: 0.8 }],
    async open(bench, resources) {
      const files = await pieces(clients, join(bench.folder, `${name}-pieces`), bench)
      const registries = await startRegistries({ prefix: name, core: null }, bench, resources)
      const contenders: Contender[] = []
      for (const registry of registries) contenders.push(await holding(registry, files, bench))
      return {
        bytes: sizeOf(files),
        contenders: [
          ...contenders,
          await bench.unlessMissing([nginx], () => fromNginx(name, files, bench, resources)),
        ],
      }
    },
  }
}

async function holding(
  { name, pid, base }: Registry,
  files: readonly RandomFile[],
  bench: Bench,
): Promise<Contender> {
  for (const file of files) await pushFile(base, repository, file, bench)
  const urls = files.map(({ sha256 }) => blobUrl(base, repository, `sha256:${sha256}`))
  return from({ name, pid }, urls, files, bench)
}

async function fromNginx(
  name: string,
  files: readonly RandomFile[],
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Contender> {
  const root = dirname(files[0]?.path ?? bench.folder)
  const server = await startNginx(join(bench.folder, `${name}-nginx`), root, bench, resources)
  const urls = files.map((_, at) => server.url(String(at)))
  return from({ name: nginx.name, pid: server.pid }, urls, files, bench)
}

type Server = { readonly name: string; readonly pid: number | null }

function from(
  { name, pid }: Server,
  urls: readonly string[],
  files: readonly RandomFile[],
  bench: Bench,
): Contender {
  const run = async () => {
    const sizes = await Promise.all(urls.map((url) => receive(url, bench)))
    const received = sizes.reduce((sum, size) => sum + size, 0)
    if (received !== sizeOf(files)) throw new Error(`${name} gave ${received} bytes`)
  }
  const end = async () => {
    for (const [at, { sha256 }] of files.entries()) {
      await assertDigest(urls[at] ?? '', sha256, bench)
    }
  }
  return { name, pid, begin: async () => ({ run, end }) }
}
