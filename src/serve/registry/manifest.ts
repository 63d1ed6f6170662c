import type { Catalog } from '../../catalog/catalog.ts'
import type { Manifest } from '../../catalog/manifests.ts'
import { Refusal } from '../../errors.ts'
import { isDigest } from '../../image/digest.ts'
import { isTag } from '../../image/name.ts'
import type { Store } from '../../store/store.ts'
import { sendBytes } from '../bytes.ts'
import type { Call } from '../context.ts'

type Shelf = { readonly catalog: Catalog; readonly store: Store }

/** end-3: byte for byte as it was stored, under the type it was stored with. */
export async function readManifest(
  c: Call,
  repository: string,
  reference: string,
  { catalog, store }: Shelf,
): Promise<Response> {
  const { digest, mediaType, size } = await find(repository, reference, catalog)
  return await sendBytes(c, {
    size,
    etag: `"${digest}"`,
    contentType: mediaType,
    headers: {
      'docker-content-digest': digest,
      'docker-distribution-api-version': 'registry/2.0',
      'cache-control': isDigest(reference) ? 'public, max-age=31536000, immutable' : 'no-cache',
    },
    open: (range, signal) => store.open(digest, range, signal),
  })
}

async function find(repository: string, reference: string, { read }: Catalog): Promise<Manifest> {
  const { manifests } = read
  const manifest = isDigest(reference)
    ? await manifests.byDigest(repository, reference)
    : isTag(reference) && (await manifests.byTag(repository, reference))
  if (manifest) return manifest
  if (await manifests.exists(repository)) {
    throw new Refusal('MANIFEST_UNKNOWN', `the repository "${repository}" has no "${reference}"`)
  }
  throw new Refusal('NAME_UNKNOWN', `there is no repository "${repository}"`)
}
