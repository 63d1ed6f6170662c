import type { Tables } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import type { Job } from '../catalog/jobs.ts'
import { checksumsOf, type Checksums, type DataSource } from '../image/data-source.ts'
import { isDigest, type Digest } from '../image/digest.ts'
import type { Stored } from '../image/stored.ts'
import { shown } from '../source/request.ts'
import { shareStored, type Shared, type SharedShelf } from './shared-layer.ts'

/** Of images with the same bytes so many are looked at; who may read none of them fetches. */
const mostLookedAt = 100

/**
 * An image whose source had the very bytes that a data source asks for by sha256, and that its author may read already. Where
 * there is none that he may read, nothing tells him whether there is one.
 * @returns the image's uid, null when there is none
 */
export async function knownBytes(
  source: DataSource,
  mayRead: (name: string) => boolean,
  { images }: Pick<Tables, 'images'>,
): Promise<string | null> {
  const wanted = wantedDigest(source)
  if (!wanted) return null
  const found = await images.readyOf(wanted, mostLookedAt)
  return found.find(({ name }) => mayRead(name))?.uid ?? null
}

/**
 * The image of a job on the bytes that were found for it when it was asked for, leased. Null when there are none, or not any
 * more.
 */
export async function shareKnownBytes(
  image: Image,
  { knownUid }: Job,
  shelf: SharedShelf,
): Promise<Shared | null> {
  const { http } = image.dataSource
  const other = knownUid === null ? null : await shelf.catalog.read.images.byUid(knownUid)
  if (!http || other?.phase !== 'Ready' || !other.stored) return null
  if (other.stored.source.sha256 !== wantedDigest(image.dataSource)) return null
  const judged = await shareStored(image, other.stored, shelf)
  return judged && { judged, facts: { url: shown(new URL(http.url)) } }
}

/** Only of what is fetched by URL: the parts of a container image have digests of their own. */
function wantedDigest(source: DataSource): Digest | null {
  const { sha256 } = source.http?.checksum ?? {}
  const digest = `sha256:${sha256}`
  return isDigest(digest) && mustBe(checksumsOf(source), digest) ? digest : null
}

/** Whether bytes of which the sha256 alone is known have all of the checksums. */
export function mustBe({ sha256, ...others }: Checksums, known: Stored['source']['sha256']) {
  const isUnknown = Object.values(others).some((hex) => hex !== undefined)
  return !isUnknown && (sha256 === undefined || `sha256:${sha256}` === known)
}
