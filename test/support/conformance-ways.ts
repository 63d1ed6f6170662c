import type { Digest } from '../../src/image/digest.ts'
import { expected, type Registry, type Reply } from './conformance-registry.ts'

/** @returns the last answer */
export type Way = (
  registry: Registry,
  repository: string,
  bytes: Buffer,
  digest: Digest,
) => Promise<Reply>

/** All ways that the specification knows to push a blob ("Pushing blobs"). */
export const ways: { readonly [name: string]: Way } = {
  'in the POST': async (registry, repository, bytes, digest) =>
    await registry.ask('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, {
      body: bytes,
    }),
  'in the POST, without a length': async (registry, repository, bytes, digest) =>
    await registry.ask('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, {
      body: pieces(bytes),
    }),
  'in the PUT': async (registry, repository, bytes, digest) =>
    await close(registry, await registry.begin(repository), digest, bytes),
  'in the PUT, without a length': async (registry, repository, bytes, digest) =>
    await close(registry, await registry.begin(repository), digest, pieces(bytes)),
  'as one stream': async (registry, repository, bytes, digest) => {
    const body = pieces(bytes)
    const reply = await registry.ask('PATCH', await registry.begin(repository), { body })
    return await close(registry, expected(reply, 202).location, digest)
  },
  'as one part without a range': async (registry, repository, bytes, digest) => {
    const reply = await registry.patch(await registry.begin(repository), bytes)
    return await close(registry, expected(reply, 202).location, digest)
  },
  'in parts': async (registry, repository, bytes, digest) => {
    let location = await registry.begin(repository)
    for (const [part, range] of parts(bytes)) {
      location = expected(await registry.patch(location, part, range), 202).location
    }
    return await close(registry, location, digest)
  },
  'in parts, the last in the PUT': async (registry, repository, bytes, digest) => {
    let location = await registry.begin(repository)
    const all = parts(bytes)
    for (const [part, range] of all.slice(0, -1)) {
      location = expected(await registry.patch(location, part, range), 202).location
    }
    const [last, range] = all.at(-1) ?? [undefined, undefined]
    return await close(registry, location, digest, last, range)
  },
}

export async function close(
  registry: Registry,
  location: string,
  digest: string,
  body?: Uint8Array | readonly Uint8Array[],
  range?: string,
): Promise<Reply> {
  const path = `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`
  const headers = {
    'content-type': 'application/octet-stream',
    ...(range !== undefined && { 'content-range': range }),
  }
  return await registry.ask('PUT', path, { headers, ...(body && { body }) })
}

function pieces(bytes: Buffer): readonly Buffer[] {
  const middle = bytes.length >> 1
  return [bytes.subarray(0, middle), bytes.subarray(middle)].filter(({ length }) => length > 0)
}

/** Three parts with their ranges, fewer when there are fewer bytes. */
function parts(bytes: Buffer): readonly (readonly [Buffer, string])[] {
  const step = Math.max(1, Math.ceil(bytes.length / 3))
  const starts = [0, step, 2 * step].filter((start) => start < bytes.length)
  return starts.map((start) => {
    const part = bytes.subarray(start, start + step)
    return [part, `${start}-${start + part.length - 1}`] as const
  })
}
