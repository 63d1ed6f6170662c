import type { Catalog } from '../../catalog/catalog.ts'
import { Refusal } from '../../errors.ts'
import { algorithmOf, digestOf, isDigest, type Digest } from '../../image/digest.ts'
import { readManifest as readDocument } from '../../image/document.ts'
import { isTag } from '../../image/name.ts'
import type { Checkup } from '../../work/checkup.ts'
import type { Repositories } from '../../work/repositories.ts'
import { cacheability } from '../auth/access.ts'
import { gone, sendBytes } from '../bytes.ts'
import type { Call } from '../context.ts'
import { readSmallBody } from '../small-body.ts'
import type { ManifestShelf } from './manifest-shelf.ts'
import { requesterOf } from './requester.ts'
import type { Named } from './target.ts'

type Shelf = {
  readonly catalog: Catalog
  readonly checkup: Checkup
  readonly repositories: Repositories
  readonly manifestShelf: ManifestShelf
}

/** The specification asks for at least 4 MiB. */
const largest = 8 * 1024 * 1024
/** So many milliseconds has a client to send it. */
const within = 300_000
/** Tags that one push may set. */
const mostTags = 100

/** end-3: byte for byte as it was stored, under the type it was stored with. */
export async function readManifest(
  c: Call,
  { repository, reference }: Named,
  { catalog, checkup, manifestShelf }: Shelf,
): Promise<Response> {
  const found = await manifestShelf.find(repository, reference, () => gone(c.env.outgoing))
  if (!found) throw await unknown(repository, reference, catalog)
  const { digest, mediaType, size, bytes } = found
  const cache = `${cacheability(c, repository)}, max-age=31536000, immutable`
  return await sendBytes(c, {
    size,
    etag: `"${digest}"`,
    contentType: mediaType,
    headers: {
      'docker-content-digest': digest,
      'docker-distribution-api-version': 'registry/2.0',
      'cache-control': isDigest(reference) ? cache : 'no-cache',
    },
    open: (range, signal) => checkup.open(digest, range, signal),
    bytes,
  })
}

/** end-7, and end-7b: by digest it may bring tags with it, all of which are set or none. */
export async function putManifest(
  c: Call,
  { repository, reference }: Named,
  { repositories }: Shelf,
): Promise<Response> {
  const tags = tagsOf(c, reference)
  const { incoming, outgoing } = c.env
  const bytes = await readSmallBody(incoming, { limit: largest, within, tooLarge, outgoing })
  const digest = digestOf(bytes, isDigest(reference) ? algorithmOf(reference) : 'sha256')
  if (isDigest(reference) && reference !== digest) throw otherDigest(digest, reference)
  const document = readDocument(bytes, c.req.header('content-type') ?? '')
  await repositories.put(
    repository,
    { digest, bytes, document, tags, by: requesterOf(c) },
    gone(outgoing),
  )
  for (const warning of [...document.warnings, ...tags.flatMap(fallback)]) warn(c, warning)
  if (isDigest(reference)) for (const tag of tags) c.header('oci-tag', tag, { append: true })
  if (document.subject) c.header('oci-subject', document.subject)
  c.header('location', `/v2/${repository}/manifests/${digest}`)
  c.header('docker-content-digest', digest)
  return c.body(null, 201)
}

/** end-9: a tag alone, or a manifest with all its tags. */
export async function deleteManifest(
  c: Call,
  { repository, reference }: Named,
  { catalog, repositories }: Shelf,
): Promise<Response> {
  const by = requesterOf(c)
  const removed = isDigest(reference)
    ? await repositories.remove(repository, reference, by)
    : isTag(reference) && (await repositories.untag(repository, reference, by))
  if (!removed) throw await unknown(repository, reference, catalog)
  return c.body(null, 202)
}

function tagsOf(c: Call, reference: string): readonly string[] {
  if (!isDigest(reference)) return [checkedTag(reference)]
  const tags = [...new Set(c.req.queries('tag') ?? [])].map(checkedTag)
  if (tags.length <= mostTags) return tags
  throw new Refusal('MANIFEST_INVALID', `one push sets at most ${mostTags} tags`)
}

function checkedTag(text: string): string {
  if (isTag(text)) return text
  const shown = text.slice(0, 200)
  if (shown.includes(':'))
    throw new Refusal('DIGEST_INVALID', `"${shown}" is neither a tag nor a digest`)
  throw new Refusal(
    'MANIFEST_INVALID',
    `"${shown}" is no tag: a letter, digit or underscore, then up to 127 of [A-Za-z0-9._-]`,
  )
}

/** Clients of registries without a list of referrers keep one under such a tag. */
function fallback(tag: string): readonly string[] {
  return /^sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})$/.test(tag)
    ? [`the tag ${tag.slice(0, 20)}… is not needed: this registry lists referrers`]
    : []
}

/** OCI distribution-spec, "Warnings". */
function warn(c: Call, text: string): void {
  c.header('warning', `299 - "${text.replace(/[^ !#-[\]-~]/g, '_')}"`, { append: true })
}

async function unknown(repository: string, reference: string, { read }: Catalog): Promise<Refusal> {
  if (await read.manifests.exists(repository)) {
    return new Refusal('MANIFEST_UNKNOWN', `the repository "${repository}" has no "${reference}"`)
  }
  return new Refusal('NAME_UNKNOWN', `there is no repository "${repository}"`)
}

function tooLarge(): Refusal {
  return new Refusal('MANIFEST_TOO_LARGE', `a manifest has at most ${largest} bytes`)
}

function otherDigest(digest: Digest, reference: Digest): Refusal {
  return new Refusal('DIGEST_INVALID', `the manifest is ${digest}, not ${reference}`)
}
