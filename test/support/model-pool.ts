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

/** Pushes a blob in one of the ways that there are; it has to be taken. */
export async function pushSomehow(
  client: RegistryClient,
  repository: string,
  { bytes, digest }: Blob,
  random: Random,
): Promise<void> {
  const way = random.pick(['whole', 'finish', 'ranges', 'stream'])
  if (way === 'whole') {
    await expectStatus(await client.whole(repository, bytes), 201)
    return
  }
  const session = await client.begin(repository)
  if (way === 'finish') {
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
  }
  await expectStatus(await client.finish(session, digest), 201)
}
