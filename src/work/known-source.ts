import type { Image } from '../catalog/images.ts'
import { checksumsOf } from '../image/data-source.ts'
import type { Stored } from '../image/stored.ts'
import type { Place, SourceFacts, Validators } from '../source/source.ts'
import type { Tally } from '../source/tally.ts'
import type { Arrival } from './arrival.ts'
import { mustBe } from './known-bytes.ts'
import { shareStored, type Shared, type SharedShelf } from './shared-layer.ts'

type Shelf = SharedShelf & {
  /** Whether what is here already may be used on anybody's word. */
  readonly sharesLayers: boolean
}

/** Of images from the same URL so many are looked at for one to ask by. */
const mostLookedAt = 10

/** RFC 9110 section 8.8.2.2: a file that had just been written may be written again within the same second. */
const settled = 60_000

export type Again = {
  readonly shared: Shared | null
  /** To be opened when nothing is shared. */
  readonly place: Place
}

/**
 * Asks a source from which an image came already for what is new there, with whatever the new image gives to show. When that
 * is nothing, its bytes are those that are here: leased, for the new image. Else the answer is the first opening of the place,
 * and there is no second request.
 * @throws as `Place.open`
 */
export async function askAgain(
  image: Image,
  place: Place,
  arrival: Arrival,
  shelf: Shelf & { readonly tally: Tally },
  signal: AbortSignal,
): Promise<Again> {
  // With bytes of an earlier attempt the question is whether they are still the same.
  const known = arrival.offset === 0 ? await knownSource(image, shelf) : null
  if (!known || !place.openUnlessSame) return { shared: null, place }
  const opened = await place.openUnlessSame(known.validators, signal, shelf.tally)
  if (opened) return { shared: null, place: { ...place, open: async () => opened } }
  const judged = await shareStored(image, known.stored, shelf)
  return { shared: judged && { judged, facts: factsOf(known.stored) }, place }
}

/** As the source told them when it gave the bytes, which it has confirmed now. */
function factsOf({ source: { url, etag, lastModified } }: Stored): SourceFacts {
  return {
    ...(url !== undefined && { url }),
    ...(etag !== undefined && { etag }),
    ...(lastModified !== undefined && { lastModified }),
  }
}

type Known = { readonly stored: Stored; readonly validators: Validators }

async function knownSource(image: Image, { catalog, sharesLayers }: Shelf): Promise<Known | null> {
  if (image.urlKey === null) return null
  for (const other of await catalog.read.images.readyFrom(image.urlKey, mostLookedAt)) {
    const validators = validatorsOf(other, image, sharesLayers)
    if (validators && other.stored) return { stored: other.stored, validators }
  }
  return null
}

/**
 * By what a source can tell that it still has the bytes of an image that came from the same URL; null when its word would not
 * do for the new one:
 * - Whoever is asked now must be proven to be whom he was then: without verified TLS, or with another authority, somebody else
 *   could have given the bytes under this name, or could have bytes handed out by answering 304.
 * - Plain HTTP proves nothing. It is as good as plain HTTP ever is where everyone may read everything, and does not do
 *   where some may not read what others may. Over TLS a 304 is the source's own word that this caller may have them.
 * - A date tells less than an ETag: it counts where nobody had credentials, for others might have been given another file, and
 *   for a file that had not just been written.
 */
export function validatorsOf(other: Image, image: Image, sharesLayers: boolean): Validators | null {
  const { stored } = other
  const [before, now] = [other.dataSource.http, image.dataSource.http]
  if (!before || !now || !stored || other.phase !== 'Ready') return null
  if (before.insecureSkipTLSVerify || now.insecureSkipTLSVerify) return null
  if (before.caBundle !== now.caBundle) return null
  if (!sharesLayers && new URL(now.url).protocol !== 'https:') return null
  if (!mustBe(checksumsOf(image.dataSource), stored.source.sha256)) return null
  const { url, etag, lastModified } = stored.source
  if (url === undefined) return null
  if (etag?.startsWith('"')) return { url, etag, lastModified: lastModified ?? null }
  const isPublic = !other.hadSecrets && !image.hadSecrets
  const isSettled = other.createdAt - Date.parse(lastModified ?? '') >= settled
  if (!isPublic || !isSettled || lastModified === undefined) return null
  return { url, etag: null, lastModified }
}
