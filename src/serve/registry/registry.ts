import { Hono } from 'hono'
import type { Catalog } from '../../catalog/catalog.ts'
import { asFailure, Refusal, type Failure } from '../../errors.ts'
import { parseDigest } from '../../image/digest.ts'
import { isRepository } from '../../image/name.ts'
import type { Store } from '../../store/store.ts'
import { sendBytes } from '../bytes.ts'
import type { Call, Env, Routes } from '../context.ts'
import { failureHeaders, logFailure, statusOf } from '../problem.ts'
import { readManifest } from './manifest.ts'
import { listTags } from './tags.ts'

export type RegistryOptions = {
  readonly catalog: Catalog
  readonly store: Store
}

/** The pull side of the OCI distribution-spec 1.1. Repository names hold slashes, so the path is taken apart here. */
const path = /^\/v2\/(?<repository>.+)\/(?<kind>manifests|blobs|tags)\/(?<reference>[^/]+)$/

export function registryRoutes(options: RegistryOptions): Routes {
  return new Hono<Env>()
    .use('/v2/*', async (c, next) => {
      c.header('docker-distribution-api-version', 'registry/2.0')
      await next()
    })
    .on(['GET', 'HEAD'], ['/v2', '/v2/'], (c) => c.json({}))
    .on(['GET', 'HEAD'], '/v2/*', (c) => pull(c, options))
    .all('/v2/*', (c) => {
      throw push(c)
    })
    .onError(envelope)
}

async function pull(c: Call, options: RegistryOptions): Promise<Response> {
  const { repository = '', kind, reference = '' } = path.exec(c.req.path)?.groups ?? {}
  if (!kind) throw new Refusal('NOT_FOUND', `there is nothing at ${c.req.path}`)
  if (!isRepository(repository)) {
    throw new Refusal('NAME_INVALID', `"${repository}" is no repository name`)
  }
  if (kind === 'blobs') return await sendBlob(c, repository, reference, options)
  if (kind === 'manifests') return await readManifest(c, repository, reference, options)
  return await listTags(c, repository, reference, options)
}

/** end-2. Only a blob that the repository needs is read through it. */
async function sendBlob(
  c: Call,
  repository: string,
  reference: string,
  { catalog, store }: RegistryOptions,
): Promise<Response> {
  const digest = parseDigest(reference)
  const size = await catalog.read.manifests.blobSize(repository, digest)
  if (size === null) {
    throw new Refusal('BLOB_UNKNOWN', `the repository "${repository}" has no blob ${digest}`)
  }
  return await sendBytes(c, {
    size,
    etag: `"${digest}"`,
    contentType: 'application/octet-stream',
    headers: {
      'docker-content-digest': digest,
      'docker-distribution-api-version': 'registry/2.0',
      'cache-control': 'public, max-age=31536000, immutable',
    },
    open: (range, signal) => store.open(digest, range, signal),
  })
}

function push(c: Call): Refusal {
  return c.req.path.startsWith('/v2/cvi/')
    ? new Refusal(
        'DENIED',
        'repositories under cvi/ are written by ingestion alone; create an image',
      )
    : new Refusal(
        'UNSUPPORTED',
        'this registry is read by clients; images come in as described in /openapi.json',
      )
}

/** OCI distribution-spec, "Error Codes". */
function envelope(error: Error, c: Call): Response {
  const failure = asFailure(error)
  logFailure(c, failure)
  const { message, row } = failure
  return c.json(
    { errors: [{ code: row.oci, message, detail: detailOf(failure) }] },
    statusOf(failure),
    {
      ...failureHeaders(failure),
      'docker-distribution-api-version': 'registry/2.0',
    },
  )
}

function detailOf({ code }: Failure) {
  return { code }
}
