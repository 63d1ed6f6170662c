import type { Catalog } from '../../catalog/catalog.ts'
import type { Referrer } from '../../catalog/referrers.ts'
import { parseDigest } from '../../image/digest.ts'
import { mediaTypes } from '../../image/media-type.ts'
import type { Call } from '../context.ts'
import { pageOf } from './page.ts'
import type { Named } from './target.ts'

/** The specification wants an index that clients can hold: at most 4 MiB. */
const mostBytes = 3 * 1024 * 1024

/** Referrers of one answer. */
const most = 1000

/** end-12: whatever names this digest as its subject, whether that is here or not. */
export async function listReferrers(
  c: Call,
  { repository, reference }: Named,
  { catalog }: { readonly catalog: Catalog },
): Promise<Response> {
  const subject = parseDigest(reference)
  const artifactType = c.req.query('artifactType') || null
  const { count, after } = pageOf(c)
  const query = {
    repository,
    subject,
    artifactType,
    after,
    limit: Math.min(count, most),
    mostBytes,
  }
  const { items, isMore } = await catalog.read.referrers.list(query)
  if (artifactType !== null) c.header('oci-filters-applied', 'artifactType')
  const last = items.at(-1)
  if (isMore && last) c.header('link', linkTo(c, last.digest))
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: items.map(descriptor),
  }
  return c.body(JSON.stringify(index), 200, { 'content-type': mediaTypes.index })
}

function linkTo(c: Call, last: string): string {
  const next = new URLSearchParams(c.req.query())
  next.set('last', last)
  return `<${c.req.path}?${next.toString()}>; rel="next"`
}

function descriptor({ mediaType, digest, size, artifactType, annotations }: Referrer) {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== '' && { artifactType }),
    ...(annotations && { annotations }),
  }
}
