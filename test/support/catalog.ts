import { Catalog } from '../../src/catalog/catalog.ts'
import type { NewImage } from '../../src/catalog/images.ts'
import { digestOf } from '../../src/image/digest.ts'
import type { Stored } from '../../src/image/stored.ts'

/** A clock that stands still until it is told to go on. Milliseconds since 1970. */
export class TestClock {
  time = 1_700_000_000_000
  readonly now = () => this.time
  advance(milliseconds: number): void {
    this.time += milliseconds
  }
}

export async function openCatalog(clock = new TestClock(), path = ':memory:') {
  const catalog = await Catalog.open({ path, now: clock.now })
  return { catalog, clock, [Symbol.asyncDispose]: () => catalog[Symbol.asyncDispose]() }
}

export function newImage(name: string, changes: Partial<NewImage> = {}): NewImage {
  return {
    uid: `uid-${name}`,
    name,
    ownerUid: null,
    dataSource: { type: 'HTTP', http: { url: 'http://example.com/a.img' } },
    secrets: null,
    phase: 'Pending',
    ready: { reason: 'ProvisioningNotStarted', message: 'the import is in the queue' },
    source: { reason: 'DatasourceReady', message: '' },
    ...changes,
  }
}

/** What a Ready image of some bytes has stored. */
export function storedOf(text: string): Stored {
  const blob = (part: string) => {
    const bytes = Buffer.from(`${part} of ${text}`)
    return { digest: digestOf(bytes), size: bytes.length }
  }
  return {
    format: 'qcow2',
    layer: blob('layer'),
    disk: blob('disk'),
    config: blob('config'),
    manifest: { ...blob('manifest'), mediaType: 'application/vnd.oci.image.manifest.v1+json' },
    unpackedBytes: 4096,
    allocatedBytes: null,
    bootable: 'unknown',
    architecture: null,
    details: { version: 3 },
    source: { bytes: 10, sha256: digestOf(Buffer.from(text)) },
  }
}
