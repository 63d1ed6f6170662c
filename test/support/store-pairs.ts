import { randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { digestOf, hexOf, type Digest } from '../../src/image/digest.ts'
import type { Store } from '../../src/store/store.ts'
import { copyStore, type CopyCounts } from '../../src/work/copy-store.ts'
import { manifestKey, pushedRecord, pushedTagKey } from '../../src/work/tag-record.ts'
import { imageManifest } from './push-content.ts'

export const signal = new AbortController().signal

export async function put(store: Store, bytes: Uint8Array): Promise<Digest> {
  await using staging = await store.stage()
  await staging.append([bytes], signal)
  return (await staging.publish(digestOf(bytes))).digest
}

export async function read(store: Store, digest: Digest): Promise<Buffer> {
  await using opened = await store.open(digest, null, signal)
  return await buffer(opened.stream())
}

export type PutImage = {
  readonly tag: string
  readonly config: Digest
  readonly layer: Digest
  readonly manifest: Digest
}

/** A tagged image as a push leaves it in a store. */
export async function putImage(store: Store, tag: string, size = 10_000): Promise<PutImage> {
  const [config, layer] = [Buffer.from(`{"tag":"${tag}"}`), randomBytes(size)]
  const part = async (bytes: Buffer) => ({ digest: await put(store, bytes), size: bytes.length })
  const parts = [await part(config), await part(layer)] as const
  const { bytes, mediaType } = imageManifest(parts[0], [parts[1]])
  const manifest = await put(store, bytes)
  const record = pushedRecord({ digest: manifest, size: bytes.length, mediaType })
  await store.records.put(manifestKey('team/app', manifest), record)
  await store.records.put(pushedTagKey('team/app', tag), record)
  return { tag, config: parts[0].digest, layer: parts[1].digest, manifest }
}

/** What a store holds: records of a copy's own are not part of it. */
export async function contentsOf(store: Store) {
  const blobs: string[] = []
  for await (const { digest, size } of store.list()) blobs.push(`${digest} ${size}`)
  const records: string[] = []
  for await (const key of store.records.list('')) {
    const bytes = await store.records.read(key)
    if (!key.startsWith('_store/')) records.push(`${key} ${Buffer.from(bytes ?? []).toString()}`)
  }
  return { blobs: blobs.toSorted(), records: records.toSorted() }
}

export type Choice = { readonly verify?: boolean; readonly replaces?: boolean; place?: string }

/** One run, with what it complained about. */
export async function copied(
  from: Store,
  to: Store,
  { verify = false, replaces = false, place = 'filesystem:/from' }: Choice = {},
  within: AbortSignal = signal,
): Promise<CopyCounts & { readonly problems: readonly string[] }> {
  const problems: string[] = []
  const onProblem = (problem: string) => void problems.push(problem)
  const options = { from, to, place, verify, replaces, onProgress: () => {}, onProblem }
  return { ...(await copyStore(options, within)), problems }
}

/** Where a store in a folder keeps a blob. */
export function blobPath(folder: string, digest: Digest): string {
  const hex = hexOf(digest)
  return `${folder}/blobs/${digest.split(':')[0]}/${hex.slice(0, 2)}/${hex}`
}
