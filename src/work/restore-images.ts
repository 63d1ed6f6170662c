import type { Tables } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { parseDigest } from '../image/digest.ts'
import type { Stored } from '../image/stored.ts'
import { leaseHolder } from './publish.ts'
import { lostMessage } from './soundness.ts'
import type { Stated, StatedImage } from './stored-records.ts'

type Sizes = ReadonlyMap<string, number>

export type Moment = {
  readonly now: number
  /** Whether no image has been restored before these. */
  readonly isFirst: boolean
}

/**
 * Images of the store that the catalog does not have, or has as they were before they were Ready. One of which bytes are
 * missing is ImageLost. To be called in a transaction.
 */
export async function restoreImages(
  all: readonly Stated[],
  sizes: Sizes,
  tables: Tables,
  { now, isFirst }: Moment,
) {
  /** Names of images that the catalog knows better: their manifests are not for the taking. */
  const apart = new Set<string>()
  const counts = { added: 0, lost: 0 }
  for (const each of all) {
    const { image: record } = each
    if (!record) continue
    const problem = problemOf(each, sizes)
    const missing = problem && lostMessage(problem, { ...record, secrets: null })
    const before = await tables.images.byName(record.name)
    const verdict = before === null ? 'absent' : compare(before, record, missing)
    if (verdict === 'apart') apart.add(record.name)
    if (verdict === 'apart' || verdict === 'same') continue
    if (before) await makeRoom(before, each.repository, tables)
    await tables.restoration.image(imageOf(record, missing, now), isFirst && counts.added === 0)
    counts.added += 1
    if (missing !== null) counts.lost += 1
  }
  return { apart, ...counts }
}

/** Images of one look. */
const page = 500

/**
 * What the catalog takes for Ready and the store has not: an older catalog knows images that were deleted since. To be called
 * in a transaction.
 * @param after a name; empty for all
 * @returns the name of the last that was looked at, null when there are no more, and how many are lost
 */
export async function loseImages(after: string, { images, restoration }: Tables) {
  const filter = { limit: page, after, phase: 'Ready', format: null, cdrom: null } as const
  const found = await images.list(filter)
  const parts = found.flatMap(({ stored }) => (stored ? partsOf(stored) : []))
  const sizes = await restoration.sizes(parts.map(({ digest }) => parseDigest(digest)))
  let lost = 0
  for (const image of found) {
    const { uid, stored } = image
    const problem = stored && missingOf(partsOf(stored), sizes)
    if (problem === null) continue
    const message = lostMessage(problem, image)
    await images.change(uid, { phase: 'ImageLost', ready: { reason: 'ImageLost', message } })
    lost += 1
  }
  return { last: found.at(-1)?.name ?? null, lost }
}

/**
 * A record is written once all bytes of its image are here, and removed before its image goes: another image's record under
 * the same name, or one of a later attempt, is newer than the catalog.
 */
function compare(before: Image, record: StatedImage, missing: string | null) {
  const { phase } = before
  if (before.uid !== record.uid) return 'newer'
  const attempt = record.status?.attempt ?? 1
  // Of an older catalog: the image was lost and imported again since.
  if (attempt > before.attempt) return 'newer'
  if (phase === 'Ready' || phase === 'ImageLost') return 'same'
  if (phase === 'Terminating' || attempt < before.attempt || missing !== null) return 'apart'
  return 'newer'
}

/** What the catalog has under the name of an image that is newer. */
async function makeRoom(before: Image, repository: string, tables: Tables): Promise<void> {
  await tables.jobs.remove(before.uid)
  await tables.uploads.removeOf(before.uid)
  await tables.blobs.endLeases(leaseHolder(before))
  await tables.manifests.removeAll(repository)
}

type Part = { readonly what: string; readonly digest: string; readonly size: number }

/** In the order in which `soundness` looks at them, so that the same is told. */
function partsOf({ manifest, layer, config }: Stored): readonly Part[] {
  return [
    { ...layer, what: 'layer' },
    { ...config, what: 'config' },
    { ...manifest, what: 'manifest' },
  ]
}

/** What is wrong with an image's bytes, null for nothing. */
function problemOf({ manifest, image }: Stated, sizes: Sizes): string | null {
  const stored = image?.stored
  if (stored) return missingOf(partsOf(stored), sizes)
  return (
    missingOf([{ ...manifest, what: 'manifest' }], sizes) ??
    `the manifest ${manifest.digest} of the image is damaged`
  )
}

function missingOf(parts: readonly Part[], sizes: Sizes): string | null {
  for (const { what, digest, size } of parts) {
    const here = sizes.get(digest)
    if (here === undefined) return `the ${what} ${digest} of the image is missing`
    if (here !== size) {
      return `the ${what} ${digest} of the image is damaged: it has ${here} bytes where ${size} were stored`
    }
  }
  return null
}

function imageOf(record: StatedImage, missing: string | null, now: number): Image {
  const { uid, name, createdAt, ownerUid, dataSource, hadSecrets, status, stored } = record
  const {
    generation = 1,
    attempt = 1,
    retries = 0,
    urlKey = null,
    sealedQuery = null,
  } = status ?? {}
  const since = status?.readySince ?? createdAt
  return {
    uid,
    name,
    generation,
    createdAt,
    ownerUid,
    dataSource,
    secrets: null,
    sealedQuery,
    hadSecrets,
    urlKey,
    attempt,
    phase: missing === null ? 'Ready' : 'ImageLost',
    ready:
      missing === null
        ? { reason: 'Ready', message: '', since }
        : { reason: 'ImageLost', message: missing, since: now },
    source: {
      reason: 'DatasourceReady',
      message: '',
      since: status?.sourceSince ?? createdAt,
    },
    retries,
    nextRetryAt: null,
    stored,
  }
}
