import { buffer } from 'node:stream/consumers'
import { expect } from 'vitest'
import type { ContainerImageSection } from '../../src/image/data-source.ts'
import { parseDigest } from '../../src/image/digest.ts'
import { parseReference } from '../../src/image/reference.ts'
import { compileRules } from '../../src/source/address-rules.ts'
import { openRegistry, type RegistryOptions } from '../../src/source/registry/client.ts'
import type { BlobPart, Registry } from '../../src/source/registry/registry.ts'
import { Layout, manifestSchema, type Descriptor } from './clients-layout.ts'
import type { Home } from './clients.ts'
import { mebibyte } from './disks.ts'
import { content } from './http-neighbour.ts'

/** An image, and an index that holds it. */
export type Goods = {
  readonly layout: Layout
  readonly image: Descriptor
  readonly index: Descriptor
}

/** A registry that has the goods, and what it takes to get in. */
export type Shop = {
  /** `host:port/repository`. */
  readonly repository: string
  readonly section?: Partial<ContainerImageSection>
  readonly options?: Partial<RegistryOptions>
}

export async function makeGoods(home: Home): Promise<Goods> {
  const layout = await Layout.begin(home.at('goods'))
  const image = await layout.image({ 'disk/disk.img': content(3 * mebibyte) })
  const index = await layout.index({ amd64: image })
  await layout.finish({ one: image, all: index })
  return { layout, image, index }
}

/** @param credentials `name:password` */
export async function stock(
  home: Home,
  { layout }: Goods,
  repository: string,
  credentials: string | null = null,
): Promise<void> {
  const how = ['--all', '--dest-tls-verify=false']
  const who = credentials === null ? [] : ['--dest-creds', credentials]
  for (const tag of ['one', 'all']) {
    const [from, to] = [`oci:${layout.path}:${tag}`, `docker://${repository}:${tag}`]
    await home.run('skopeo', '--insecure-policy', 'copy', ...how, ...who, from, to)
  }
}

export function shopper({ repository, section = {}, options = {} }: Shop): Registry {
  const image = `${repository}:one`
  const usual = {
    rules: compileRules({ deny: [], allow: ['127.0.0.0/8'] }),
    userAgent: 'slipway/test',
    insecureRegistries: [],
  }
  return openRegistry(parseReference(image), { image, ...section }, { ...usual, ...options })
}

/** Every wait here has an end. */
export const soon = () => AbortSignal.timeout(30_000)

/** Everything comes, byte for byte: by tag and by digest, from the start and from the middle. */
export async function expectAll(registry: Registry, goods: Goods): Promise<void> {
  const { layout, image, index } = goods
  for (const [tag, { digest, mediaType }] of [
    ['one', image],
    ['all', index],
  ] as const) {
    const expected = { digest, mediaType, bytes: await layout.bytes(digest) }
    expect(await registry.manifest(tag, soon())).toEqual(expected)
    expect(await registry.manifest(digest, soon())).toEqual(expected)
  }
  for (const part of await partsOf(goods)) await expectBlob(registry, goods, part)
}

export async function partsOf({ layout, image }: Goods): Promise<readonly BlobPart[]> {
  const { config, layers } = manifestSchema.parse(
    JSON.parse((await layout.bytes(image.digest)).toString()),
  )
  return [config, ...layers].map(({ digest, size }) => ({ digest: parseDigest(digest), size }))
}

async function expectBlob(registry: Registry, { layout }: Goods, part: BlobPart): Promise<void> {
  const bytes = await layout.bytes(part.digest)
  for (const offset of [0, Math.floor(part.size / 3), part.size]) {
    const came = await buffer(await registry.blob(part, offset, soon()))
    expect(came.equals(bytes.subarray(offset)), `${part.digest} from ${offset}`).toBe(true)
  }
}
