import { digestOf } from '../../src/image/digest.ts'
import { contentOf, type Part } from './push-content.ts'
import type { Random } from './random.ts'
import { expectStatus, rangeOf, type Bytes, type RegistryClient } from './registry-client.ts'

export type Blob = Part & { readonly bytes: Bytes }

/** Blobs that all clients of a model push, so that what one deletes is what another one has just pushed. */
export function poolOf(random: Random, count: number): readonly [Blob, ...Blob[]] {
  const blob = () => blobOf(contentOf(random, 1 + random.below(random.below(8) ? 3000 : 600_000)))
  return [blob(), ...Array.from({ length: count - 1 }, blob)]
}

export function blobOf(bytes: Bytes): Blob {
  return { digest: digestOf(bytes), size: bytes.length, bytes }
}

/** What is known of a push while it is under way: a request that is cut leaves it as it was. */
export class Pushing {
  /** Path of the session, null when none was told. */
  session: string | null = null
  /** Bytes that an answer has promised. */
  acknowledged = 0
  /** Whether the request is under way that ends it well. */
  isFinishing = false
}

/** Pushes a blob in one of the ways that there are; it has to be taken. */
export async function pushSomehow(
  client: RegistryClient,
  repository: string,
  { bytes, digest }: Blob,
  random: Random,
  pushing = new Pushing(),
): Promise<void> {
  const way = random.pick(['whole', 'finish', 'ranges', 'stream'])
  if (way === 'whole') {
    await expectStatus(await client.whole(repository, bytes), 201)
    return
  }
  const session = await client.begin(repository)
  pushing.session = session
  if (way === 'finish') {
    pushing.isFinishing = true
    await expectStatus(await client.finish(session, digest, bytes), 201)
    return
  }
  const cut = random.below(bytes.length)
  const parts = cut === 0 ? [bytes] : [bytes.subarray(0, cut), bytes.subarray(cut)]
  for (const [index, part] of parts.entries()) {
    const start = way === 'stream' ? null : index * cut
    const answer = await client.append(session, part, start)
    await expectStatus(answer, 202)
    const end = index * cut + part.length
    if (answer.headers.get('range') !== rangeOf(0, end)) {
      throw new Error(`after ${end} bytes the range is ${answer.headers.get('range')}`)
    }
    pushing.acknowledged = end
  }
  pushing.isFinishing = true
  await expectStatus(await client.finish(session, digest), 201)
}

/**
 * Goes on with a push whose request was cut: its session has what was acknowledged, or has ended well.
 * @returns whether the blob is pushed now; a push that had told nothing yet is given up
 */
export async function goOnPushing(
  client: RegistryClient,
  repository: string,
  { bytes, digest, size }: Blob,
  pushing: Pushing,
): Promise<boolean> {
  const { session, acknowledged } = pushing
  if (session === null) return false
  const last = await client.last(session)
  if (last === null) {
    if (!pushing.isFinishing) throw new Error(`a session with ${acknowledged} bytes is gone`)
    await expectStatus(await client.blob('HEAD', repository, digest), 200)
    return true
  }
  // Of no byte and of one byte the same is told.
  const offset = last === 0 ? 0 : last + 1
  if (Math.max(offset, 1) < acknowledged || offset > size)
    throw new Error(`${offset} of ${size} bytes are told, ${acknowledged} were acknowledged`)
  if (offset === 0) {
    await expectStatus(await client.ask('DELETE', session), 204)
    return false
  }
  if (offset < size) {
    await expectStatus(await client.append(session, bytes.subarray(offset), offset), 202)
  }
  pushing.acknowledged = size
  pushing.isFinishing = true
  await expectStatus(await client.finish(session, digest), 201)
  return true
}
