import type { Tables } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { formatSize } from '../image/size.ts'
import { leaseHolder } from './publish.ts'
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
    const missing = missingOf(each, sizes)
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

/**
 * A record is written once all bytes of its image are here, and removed before its image goes: another image's record under
 * the same name, or one of a later attempt, is newer than the catalog.
 */
function compare(before: Image, record: StatedImage, missing: string | null) {
  const { phase } = before
  if (before.uid !== record.uid) return 'newer'
  if (phase === 'Ready' || phase === 'ImageLost') return 'same'
  const attempt = record.status?.attempt ?? 1
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

/** Which of an image's bytes are missing, as a sentence; null when all are here. */
function missingOf({ manifest, image }: Stated, sizes: Sizes): string | null {
  const stored = image?.stored
  const parts = [
    { what: 'manifest', ...manifest },
    ...(stored ? [{ what: 'layer', ...stored.layer }] : []),
    ...(stored ? [{ what: 'configuration', ...stored.config }] : []),
  ]
  for (const { what, digest, size } of parts) {
    const here = sizes.get(digest)
    if (here === undefined) return sentence(`the ${what} ${digest} is missing from the storage`)
    if (here === size) continue
    return sentence(
      `the ${what} ${digest} has ${formatSize(here)} (${here} bytes) in the storage instead of ${size} bytes`,
    )
  }
  return stored ? null : sentence(`the manifest ${manifest.digest} is damaged`)
}

function sentence(problem: string): string {
  return `${problem}; start the image again, or delete it`
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
