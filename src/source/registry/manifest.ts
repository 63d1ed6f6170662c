import { z } from 'zod'
import { Flaw, Refusal } from '../../errors.ts'
import { algorithmOf, digestOf, isDigest, type Digest } from '../../image/digest.ts'
import { manifestTypes } from '../../image/media-type.ts'
import type { Answer } from '../exchange.ts'
import { statusFailure } from '../status.ts'
import type { Arrival } from '../travel.ts'
import { refuseCoding } from './coding.ts'
import { vague } from './documents.ts'
import { mostManifestBytes, type FetchedManifest } from './registry.ts'
import type { Session } from './session.ts'
import { readSmall } from './small-body.ts'

/** Docker's first schema is asked for, too, so that it comes and can be told from an image that is not there. */
const accept = [
  ...manifestTypes.image,
  ...manifestTypes.index,
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/vnd.docker.distribution.manifest.v1+json',
].join(', ')

/** As `Registry.manifest`. */
export async function fetchManifest(
  session: Session,
  tagOrDigest: string,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const arrival = await session.get(`manifests/${tagOrDigest}`, { accept }, signal)
  const bytes = await bytesOf(arrival, session, tagOrDigest, signal)
  const named = isDigest(tagOrDigest) ? tagOrDigest : null
  const digest = digestOf(bytes, named ? algorithmOf(named) : 'sha256')
  if (named !== null && digest !== named) throw other(session, named, digest)
  checkTold(session, arrival.answer, bytes)
  return { digest, mediaType: mediaTypeOf(arrival.answer, bytes), bytes }
}

async function bytesOf(
  arrival: Arrival,
  { name, line }: Session,
  tagOrDigest: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const { answer, request } = arrival
  try {
    if (answer.status === 404) throw missing(name, tagOrDigest)
    if (answer.status !== 200) throw statusFailure(answer, request.url)
    refuseCoding(arrival)
    const options = { most: mostManifestBytes, silence: line.silence, tooLarge: () => large(name) }
    return await readSmall(arrival, options, signal)
  } finally {
    await answer.release()
  }
}

/** OCI distribution-spec, "Pulling manifests": the header is about the bytes that come with it. */
function checkTold(session: Session, answer: Answer, bytes: Buffer): void {
  const told = answer.field('docker-content-digest')
  if (told === null) return
  if (!isDigest(told)) {
    throw flawed(session.name, `has "${told.slice(0, 100)}" for a Docker-Content-Digest`)
  }
  const found = digestOf(bytes, algorithmOf(told))
  if (found !== told) throw other(session, told, found)
}

const typed = z.looseObject({ mediaType: z.string() })

function mediaTypeOf(answer: Answer, bytes: Buffer): string {
  const told = (answer.field('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return vague.has(told) ? (ownType(bytes) ?? told) : told
}

/** Whether the document can be read at all is for its reader to say. */
function ownType(bytes: Buffer): string | null {
  try {
    return typed.safeParse(JSON.parse(bytes.toString())).data?.mediaType.toLowerCase() ?? null
  } catch {
    return null
  }
}

function other({ name }: Session, expected: Digest, found: Digest): Flaw {
  return flawed(name, `has the digest ${found}, expected ${expected}`)
}

function large(name: string): Flaw {
  return flawed(name, `has more than the ${mostManifestBytes} bytes that a manifest may have`)
}

function flawed(name: string, problem: string): Flaw {
  return new Flaw(
    'INVALID_OCI',
    `the manifest that the registry gave for ${name} ${problem}; push the image again`,
  )
}

function missing(name: string, tagOrDigest: string): Refusal {
  const image = `${name}${isDigest(tagOrDigest) ? '@' : ':'}${tagOrDigest}`
  return new Refusal(
    'SOURCE_REFUSED',
    `the registry has no such image as ${image}; check repository and tag`,
  )
}
