import type { Catalog } from '../../catalog/catalog.ts'
import { asFailure, Refusal } from '../../errors.ts'
import { parseDigest, type Digest } from '../../image/digest.ts'
import type { Store } from '../../store/store.ts'
import type { Checkup } from '../../work/checkup.ts'
import type { Repositories } from '../../work/repositories.ts'
import { cacheability } from '../auth/access.ts'
import { sendBytes } from '../bytes.ts'
import type { Call } from '../context.ts'
import { redirect, type Redirection } from './redirect.ts'
import type { Named } from './target.ts'

type Shelf = {
  readonly catalog: Catalog
  readonly store: Store
  readonly repositories: Repositories
  /** Null where all bytes are answered by the service. */
  readonly redirection: Redirection | null
  readonly checkup: Checkup
}

/** end-2. Only a blob that the repository holds is read through it, and only one whose bytes are there is promised. */
export async function readBlob(
  c: Call,
  { repository, reference }: Named,
  shelf: Shelf,
): Promise<Response> {
  const digest = parseDigest(reference)
  const { catalog, checkup, redirection } = shelf
  const size = await catalog.read.holdings.blobSize(repository, digest)
  if (size === null) throw await absent(repository, digest, catalog)
  if (c.req.method === 'HEAD') await promise(c, repository, { digest, size }, shelf)
  const headers = {
    'docker-content-digest': digest,
    'docker-distribution-api-version': 'registry/2.0',
  }
  const elsewhere = { ...headers, 'cache-control': 'no-store' }
  const redirected = redirection && (await redirect(c, { digest, size }, elsewhere, redirection))
  if (redirected) return redirected
  return await sendBytes(c, {
    size,
    etag: `"${digest}"`,
    contentType: 'application/octet-stream',
    headers: {
      ...headers,
      'cache-control': `${cacheability(c, repository)}, max-age=31536000, immutable`,
    },
    open: (range, signal) => checkup.open(digest, range, signal),
  })
}

/**
 * A client that pushes asks by HEAD what it need not upload. What is missing or cut short on the disk is uploaded again and
 * so repaired; what is there must not be collected before the manifest comes.
 */
async function promise(
  c: Call,
  repository: string,
  blob: { readonly digest: Digest; readonly size: number },
  { store, repositories, checkup }: Shelf,
): Promise<void> {
  const stat = await store.stat(blob.digest)
  if (stat?.size !== blob.size) {
    c.get('log').error({ blob, found: stat?.size ?? null }, 'a blob is missing or cut short')
    checkup.suspect(blob.digest)
    throw unknown(repository, blob.digest)
  }
  if (repository.startsWith('cvi/') || !c.get('caller').may('push', repository)) return
  if (!(await isKept(c, repository, blob.digest, repositories))) {
    throw unknown(repository, blob.digest)
  }
}

/** A full disk does not stop reading: the blob is here, only nothing can be promised. */
async function isKept(c: Call, repository: string, digest: Digest, repositories: Repositories) {
  try {
    return await repositories.promise(repository, digest)
  } catch (error) {
    if (asFailure(error).row.kind !== 'outage') throw error
    c.get('log').warn({ err: error, digest }, 'a blob could not be promised')
    return true
  }
}

/** end-10. */
export async function deleteBlob(
  c: Call,
  { repository, reference }: Named,
  { repositories }: Shelf,
): Promise<Response> {
  const digest = parseDigest(reference)
  if (!(await repositories.removeBlob(repository, digest))) throw unknown(repository, digest)
  return c.body(null, 202)
}

/** Damaged bytes are not handed out, and whoever may read them is told why. */
async function absent(
  repository: string,
  digest: Digest,
  { read: { holdings, damages } }: Catalog,
): Promise<Refusal> {
  const isHeld = await holdings.holds(repository, digest)
  const damage = isHeld ? (await damages.byDigest(digest))?.damage : null
  if (!damage) return unknown(repository, digest)
  return new Refusal(
    'BLOB_UNKNOWN',
    `the blob ${digest} of "${repository}" ${damage}; push it again, or import its image again`,
  )
}

function unknown(repository: string, digest: string): Refusal {
  return new Refusal('BLOB_UNKNOWN', `the repository "${repository}" has no blob ${digest}`)
}
