import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { digestOf, hexOf, type Digest } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import { repositoryOf } from '../../src/image/name.ts'
import type { Stored } from '../../src/image/stored.ts'
import { configBytes } from '../../src/pack/config.ts'
import { manifestBytes } from '../../src/pack/manifest.ts'
import { layerSize } from '../../src/pack/tar-frame.ts'
import { manifestKey, pushedRecord, pushedTagKey, tagRecord } from '../../src/work/tag-record.ts'
import { storedOf } from '../support/catalog.ts'

/** What lies in a store after years, written without the years: no syncs, and layers of zeros that take no room. */
export class StoredFolder {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async image(name: string, diskSize: number, createdAt: number): Promise<void> {
    const disk = { digest: digestOf(Buffer.from(name)), size: diskSize }
    const layer = { digest: digestOf(Buffer.from(`layer of ${name}`)), size: layerSize(diskSize) }
    const { details } = storedOf(name)
    const facts = {
      format: 'raw',
      unpackedBytes: diskSize,
      allocatedBytes: null,
      bootable: 'unknown',
      architecture: null,
      details,
    } as const
    const packed = { layer: layer.digest, disk, facts }
    const config = await this.#blob(configBytes(packed, null))
    const came = { bytes: diskSize, sha256: disk.digest }
    const origin = { location: null, etag: null, lastModified: null, resolved: null }
    const created = new Date(createdAt)
    const manifest = await this.#blob(
      manifestBytes({ ...packed, config, source: { ...came, ...origin }, created }),
    )
    const mediaType = mediaTypes.manifest
    const stored: Stored = {
      ...facts,
      layer,
      disk,
      config,
      manifest: { ...manifest, mediaType },
      source: came,
    }
    await this.#write(this.#pathOf(layer.digest), Buffer.alloc(layer.size))
    await this.#record(pushedTagKey(repositoryOf(name), 'latest'), imageRecord(name, stored))
  }

  /** A manifest with a configuration of its own, on a layer that others have, too. */
  async manifest(repository: string, nth: number, isTagged: boolean): Promise<void> {
    const config = await this.#blob(Buffer.from(JSON.stringify({ repository, nth })))
    const layer = await this.#blob(Buffer.from('a layer'))
    const mediaType = mediaTypes.manifest
    const document = {
      schemaVersion: 2,
      mediaType,
      config: { ...config, mediaType: mediaTypes.config },
      layers: [{ ...layer, mediaType: mediaTypes.layer }],
    }
    const { digest, size } = await this.#blob(Buffer.from(JSON.stringify(document)))
    const record = pushedRecord({ digest, size, mediaType })
    await this.#record(manifestKey(repository, digest), record)
    if (isTagged) await this.#record(pushedTagKey(repository, `v${nth}`), record)
  }

  async #blob(bytes: Buffer) {
    const digest = digestOf(bytes)
    await this.#write(this.#pathOf(digest), bytes)
    return { digest, size: bytes.length }
  }

  async #record(key: string, bytes: Buffer): Promise<void> {
    await this.#write(join(this.#folder, 'repositories', key), bytes)
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, bytes)
  }

  #pathOf(digest: Digest): string {
    const hex = hexOf(digest)
    return join(this.#folder, 'blobs', 'sha256', hex.slice(0, 2), hex)
  }
}

function imageRecord(name: string, stored: Stored): Buffer {
  const since = Date.now()
  return tagRecord(
    {
      uid: `uid of ${name}`,
      name,
      generation: 1,
      createdAt: since,
      ownerUid: null,
      dataSource: { type: 'Upload' },
      secrets: null,
      sealedQuery: null,
      hadSecrets: false,
      urlKey: null,
      attempt: 1,
      phase: 'Ready',
      ready: { reason: 'Ready', message: '', since },
      source: { reason: 'DatasourceReady', message: '', since },
      retries: 0,
      nextRetryAt: null,
      stored,
    },
    stored,
  )
}
