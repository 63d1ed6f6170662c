import { basename, dirname, join } from 'node:path'
import type { Bench, Contender, Measurement } from '../bench.ts'
import { assertDigest } from '../client.ts'
import { receiveAndHash } from '../peers/fetch.ts'
import { nginx, startNginx } from '../peers/nginx.ts'
import { startSlipway } from '../peers/slipway.ts'
import { curl, openssl } from '../programs.ts'

type Kind = {
  readonly name: string
  readonly title: string
  /** As `limit_rate` reads it; 0 for no limit. */
  readonly rate: string
  readonly atLeast: number
}

const kinds: readonly Kind[] = [
  { name: 'import-nginx', title: 'a file from nginx', rate: '0', atLeast: 0.8 },
  {
    name: 'import-nginx-limited',
    title: 'a file from nginx that gives 20 MiB/s for each request (limit_rate)',
    rate: '20m',
    atLeast: 5,
  },
]

/** From the request to the moment when the disk is judged, hashed and durable. */
export const importing: readonly Measurement[] = kinds.map(({ name, title, rate, atLeast }) => ({
  name,
  group: 'import',
  title: `${title}, until it is durable`,
  unit: 'bytes',
  needs: [nginx, curl, openssl],
  targets: [{ beside: [receiveAndHash.name], atLeast }],
  async open(bench, resources) {
    const { file, folder } = bench
    const server = await startNginx(join(folder, 'nginx'), dirname(file.path), bench, resources, {
      rate,
    })
    const url = server.url(basename(file.path))
    return {
      bytes: file.size,
      contenders: [await toSlipway(url, bench, resources), receiveAndHash.from(url, bench)],
    }
  },
}))

async function toSlipway(
  url: string,
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Contender> {
  const slipway = await startSlipway(join(bench.folder, 'slipway'), bench, resources)
  let round = 0
  const begin = async () => {
    const name = `bench-${(round += 1)}`
    return {
      run: () => slipway.importFile(name, url),
      end: async () => {
        await assertDigest(slipway.disk(name), bench.file.sha256, bench)
        await slipway.remove(name)
      },
    }
  }
  return { name: 'slipway', pid: slipway.pid, begin }
}
