import { Hono } from 'hono'
import type { Catalog } from '../../catalog/catalog.ts'
import { Refusal } from '../../errors.ts'
import type { Store } from '../../store/store.ts'
import type { Checkup } from '../../work/checkup.ts'
import type { Pushes } from '../../work/pushes.ts'
import type { Repositories } from '../../work/repositories.ts'
import { demand, demandList, type Action } from '../auth/access.ts'
import type { Call, Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import { deleteBlob, readBlob } from './blobs.ts'
import { envelope } from './envelope.ts'
import { listRepositories } from './repositories.ts'
import { deleteManifest, putManifest, readManifest } from './manifests.ts'
import type { ManifestShelf } from './manifest-shelf.ts'
import type { Redirection } from './redirect.ts'
import { listReferrers } from './referrers.ts'
import { listTags } from './tags.ts'
import { targetOf, type Target } from './target.ts'
import { beginUpload, cancelUpload, finishUpload, takeChunk, tellOffset } from './uploads.ts'

export type RegistryOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly pushes: Pushes
  readonly repositories: Repositories
  readonly checkup: Checkup
  readonly manifestShelf: ManifestShelf
  readonly redirection: Redirection | null
}

/** The OCI distribution-spec 1.1, with what its main branch has added (registry.md). */
export function registryRoutes(options: RegistryOptions): Routes {
  return new Hono<Env>()
    .use('/v2/*', async (c, next) => {
      c.header('docker-distribution-api-version', 'registry/2.0')
      await next()
    })
    .on(['GET', 'HEAD'], ['/v2', '/v2/'], (c) => c.json({}))
    .on('ALL', ['/v2', '/v2/'], only('GET', 'HEAD'))
    .all('/v2/*', (c) => serve(c, targetOf(c.req.path), options))
    .onError(envelope)
}

async function serve(c: Call, target: Target, options: RegistryOptions): Promise<Response> {
  if (target.kind === 'catalog') return await serveCatalog(c, options)
  const doings = doingsOf(target)
  const doing = doings[c.req.method === 'HEAD' ? 'GET' : c.req.method]
  if (!doing) throw notAllowed(c, Object.keys(doings))
  const [action, run] = doing
  if (action !== 'pull') refuseIngested(target.repository)
  demand(c, action, target.repository)
  echoNamespace(c)
  return await run(c, options)
}

async function serveCatalog(c: Call, options: RegistryOptions): Promise<Response> {
  if (!/^(?:GET|HEAD)$/.test(c.req.method)) throw notAllowed(c, ['GET'])
  demandList(c)
  return await listRepositories(c, options)
}

type Run = (c: Call, options: RegistryOptions) => Promise<Response>
/** Which methods a place takes, what right each of them needs, and who does it. */
type Doings = { readonly [method: string]: readonly [Action, Run] }

function doingsOf(target: Exclude<Target, { kind: 'catalog' }>): Doings {
  if (target.kind === 'manifest') {
    return {
      GET: ['pull', (c, options) => readManifest(c, target, options)],
      PUT: ['push', (c, options) => putManifest(c, target, options)],
      DELETE: ['delete', (c, options) => deleteManifest(c, target, options)],
    }
  }
  if (target.kind === 'blob') {
    return {
      GET: ['pull', (c, options) => readBlob(c, target, options)],
      DELETE: ['delete', (c, options) => deleteBlob(c, target, options)],
    }
  }
  if (target.kind === 'referrers') {
    return { GET: ['pull', (c, options) => listReferrers(c, target, options)] }
  }
  if (target.kind === 'tags') {
    return { GET: ['pull', (c, options) => listTags(c, target.repository, options)] }
  }
  if (target.id === '') return { POST: ['push', (c, options) => beginUpload(c, target, options)] }
  return {
    GET: ['push', (c, options) => tellOffset(c, target, options)],
    PATCH: ['push', (c, options) => takeChunk(c, target, options)],
    PUT: ['push', (c, options) => finishUpload(c, target, options)],
    DELETE: ['push', (c, options) => cancelUpload(c, target, options)],
  }
}

function refuseIngested(repository: string): void {
  if (!/^cvi(?:\/|$)/.test(repository)) return
  throw new Refusal(
    'DENIED',
    'repositories under cvi/ are written by ingestion alone; create or delete an image instead',
  )
}

function notAllowed(c: Call, methods: readonly string[]): Refusal {
  const all = methods.includes('GET') ? ['HEAD', ...methods] : methods
  c.header('allow', all.join(', '))
  return new Refusal('METHOD_NOT_ALLOWED', `${c.req.path} takes ${all.join(', ')}`)
}

/** A mirror is asked on behalf of another registry, which the client names. */
function echoNamespace(c: Call): void {
  if (!c.req.url.includes('ns=')) return
  const namespace = c.req.query('ns')
  if (!namespace || !/^[A-Za-z0-9.:_-]{1,255}$/.test(namespace)) return
  // On the raw response, where bytes are answered, too.
  c.env.outgoing.setHeader('oci-namespace', namespace)
}
