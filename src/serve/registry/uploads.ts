import type { IncomingMessage } from 'node:http'
import { Failure, Refusal } from '../../errors.ts'
import { isAlgorithm, parseDigest, type Digest, type DigestAlgorithm } from '../../image/digest.ts'
import type { Pushes } from '../../work/pushes.ts'
import { explained, type Chunk } from '../../work/receive.ts'
import type { Repositories } from '../../work/repositories.ts'
import { gone } from '../bytes.ts'
import type { Call } from '../context.ts'
import { lengthOf, RequestBody } from '../request-body.ts'

type Shelf = { readonly pushes: Pushes; readonly repositories: Repositories }
type Named = { readonly repository: string; readonly id: string }

/** end-4a, 4b, 4c and end-11: a session, a whole blob at once, or one that is here already. */
export async function beginUpload(c: Call, { repository }: Named, shelf: Shelf): Promise<Response> {
  const mount = c.req.query('mount')
  const digest = c.req.query('digest')
  if (mount !== undefined && (await mounted(c, repository, parseDigest(mount), shelf))) {
    return created(c, repository, parseDigest(mount))
  }
  if (digest !== undefined) return await takeWhole(c, repository, parseDigest(digest), shelf)
  const id = await shelf.pushes.begin(repository, algorithmOf(c))
  return accepted(c, { repository, id }, 0)
}

/** Without `from`, any repository will do that the caller may read. */
async function mounted(c: Call, repository: string, digest: Digest, { repositories }: Shelf) {
  const caller = c.get('caller')
  const from = c.req.query('from') || null
  return await repositories.mount(repository, digest, from, (holder) =>
    caller.entitled('pull', holder),
  )
}

async function takeWhole(c: Call, repository: string, digest: Digest, { pushes }: Shelf) {
  await withBody(c, (chunk, signal) => pushes.whole(repository, digest, chunk, signal))
  return created(c, repository, digest)
}

/** end-5. */
export async function takeChunk(c: Call, named: Named, { pushes }: Shelf): Promise<Response> {
  const { repository, id } = named
  const append = (chunk: Chunk, signal: AbortSignal) => pushes.append(repository, id, chunk, signal)
  const offset = await tellingOffset(c, named, pushes, () => withBody(c, append))
  return accepted(c, named, offset)
}

/** end-6. A PUT that is out of order is refused like a chunk. */
export async function finishUpload(c: Call, named: Named, { pushes }: Shelf): Promise<Response> {
  const { repository, id } = named
  const digest = parseDigest(c.req.query('digest') ?? '')
  const finish = (chunk: Chunk, signal: AbortSignal) =>
    pushes.finish(repository, id, digest, chunk, signal)
  await tellingOffset(c, named, pushes, () => withBody(c, finish))
  return created(c, repository, digest)
}

/** end-13. */
export async function tellOffset(c: Call, named: Named, { pushes }: Shelf): Promise<Response> {
  const { repository, id } = named
  describe(c, named, await attended(c, (signal) => pushes.offset(repository, id, signal)))
  return c.body(null, 204)
}

/** end-14. */
export async function cancelUpload(c: Call, named: Named, { pushes }: Shelf): Promise<Response> {
  const { repository, id } = named
  await attended(c, (signal) => pushes.cancel(repository, id, signal))
  return c.body(null, 204)
}

/** Goes on as long as the client is there; what ends it then is no mistake of anybody's. */
async function attended<Result>(
  c: Call,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const signal = gone(c.env.outgoing)
  try {
    return await work(signal)
  } catch (error) {
    throw explained(error, signal)
  }
}

/** A client that waits for the word to send gets it when its body is read: everything else has been checked then. */
async function withBody<Result>(
  c: Call,
  work: (chunk: Chunk, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { incoming, outgoing } = c.env
  const part = partOf(incoming)
  const body = new RequestBody(incoming, outgoing)
  try {
    return await attended(c, (signal) => work({ ...part, body }, signal))
  } finally {
    body.destroy()
  }
}

/** A chunk says where it lies as `a-b`, without a unit (OCI distribution-spec, "Pushing a blob in chunks"). */
function partOf(incoming: IncomingMessage): { start: number | null; size: number | null } {
  const sent = lengthOf(incoming)
  const range = incoming.headers['content-range']
  if (range === undefined) return { start: null, size: sent }
  const [, first, last] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(range) ?? []
  if (first === undefined || last === undefined) {
    throw new Refusal(
      'BLOB_UPLOAD_INVALID',
      `the Content-Range "${range.slice(0, 100)}" is not like 0-1023`,
    )
  }
  const start = Number(first)
  const size = Number(last) - start + 1
  if (size < 0 || (sent !== null && sent !== size && !(sent === 0 && size === 1))) {
    throw new Refusal(
      'SIZE_INVALID',
      `the Content-Range ${range} does not fit the Content-Length ${sent}`,
    )
  }
  return { start, size: sent ?? size }
}

/** Whoever sent the wrong part is told which one comes next. */
async function tellingOffset<Result>(
  c: Call,
  named: Named,
  pushes: Pushes,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Failure && tellable.has(error.code)) {
      describe(c, named, await pushes.offset(named.repository, named.id, gone(c.env.outgoing)))
    }
    throw error
  }
}

const tellable: ReadonlySet<string> = new Set(['UPLOAD_OUT_OF_ORDER', 'SIZE_INVALID'])

function algorithmOf(c: Call): DigestAlgorithm {
  const wanted = c.req.query('digest-algorithm') ?? 'sha256'
  if (isAlgorithm(wanted)) return wanted
  throw new Refusal(
    'DIGEST_INVALID',
    `the digest algorithm "${wanted.slice(0, 50)}" is not known here; take sha256 or sha512`,
  )
}

function accepted(c: Call, named: Named, offset: number): Response {
  describe(c, named, offset)
  return c.body(null, 202)
}

function describe(c: Call, { repository, id }: Named, offset: number): void {
  c.header('location', `/v2/${repository}/blobs/uploads/${id}`)
  c.header('docker-upload-uuid', id)
  c.header('range', `0-${Math.max(0, offset - 1)}`)
}

function created(c: Call, repository: string, digest: Digest): Response {
  c.header('location', `/v2/${repository}/blobs/${digest}`)
  c.header('docker-content-digest', digest)
  return c.body(null, 201)
}
