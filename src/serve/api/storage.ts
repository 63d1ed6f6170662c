import { Hono } from 'hono'
import type { Facts, MaintenanceRun } from '../../catalog/maintenance-runs.ts'
import type { MaintenanceKind } from '../../catalog/schema.ts'
import { Refusal } from '../../errors.ts'
import type { Figures, StorageFigures } from '../../work/figures.ts'
import type { Maintenance } from '../../work/maintenance.ts'
import type { Shares, StorageShares } from '../../work/shares.ts'
import { demandReach } from '../auth/access.ts'
import type { Call, Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import { optionalBody } from './asked.ts'
import {
  gcRequest,
  scrubRequest,
  type RunBody,
  type SharesBody,
  type StorageBody,
} from './storage-schema.ts'

export type StorageOptions = {
  readonly maintenance: Maintenance
  readonly figures: Figures
  readonly shares: Shares
}

/** As many runs as are remembered. */
const mostRuns = 100

/** `/api/v1/storage` (http-api, "REST"): how much there is, and the runs that keep it sound. */
export function storageRoutes({ maintenance, figures, shares }: StorageOptions): Routes {
  return new Hono<Env>()
    .get('/', async (c) => {
      const [gc, scrub] = [await maintenance.newest('gc'), await maintenance.newest('scrub')]
      c.header('cache-control', 'no-store')
      return c.json({ ...shown(await figures.look()), ...last('gc', gc), ...last('scrub', scrub) })
    })
    .get('/shares', async (c) => {
      c.header('cache-control', 'no-store')
      return c.json(sharesBody(c, await shares.look()))
    })
    .post('/gc', async (c) => await begin(c, 'gc', maintenance, await asked(c, gcRequest)))
    .post('/scrub', async (c) => await begin(c, 'scrub', maintenance, await asked(c, scrubRequest)))
    .get('/runs', async (c) => {
      c.header('cache-control', 'no-store')
      return c.json({ items: (await maintenance.list(mostRuns)).map(runBody) })
    })
    .get('/runs/:id', async (c) => {
      const run = await maintenance.byId(c.req.param('id'))
      if (!run) throw new Refusal('NOT_FOUND', 'there is no such run; only the last 50 are kept')
      c.header('cache-control', 'no-store')
      return c.json(runBody(run))
    })
    .all('/', only('GET', 'HEAD'))
    .all('/shares', only('GET', 'HEAD'))
    .all('/gc', only('POST'))
    .all('/scrub', only('POST'))
    .all('/runs', only('GET', 'HEAD'))
    .all('/runs/:id', only('GET', 'HEAD'))
}

/** Whoever may not begin a run learns that before his body is read. */
async function asked(c: Call, schema: typeof gcRequest | typeof scrubRequest): Promise<Facts> {
  demandReach(c, 'maintain')
  const given = Object.entries(await optionalBody(c, schema))
  return Object.fromEntries(given.filter(([, value]) => value !== undefined))
}

async function begin(c: Call, kind: MaintenanceKind, maintenance: Maintenance, options: Facts) {
  const run = await maintenance.start(kind, options)
  c.header('location', `/api/v1/storage/runs/${run.id}`)
  return c.json(runBody(run), 202)
}

function last(kind: MaintenanceKind, run: MaintenanceRun | null) {
  return run === null ? {} : { [kind]: runBody(run) }
}

function runBody(run: MaintenanceRun): RunBody {
  const { id, kind, state, options, progress, message, startedAt, finishedAt } = run
  return {
    id,
    kind,
    state,
    options: withTexts(options),
    progress: withTexts(progress),
    message,
    startedAt: new Date(startedAt).toISOString(),
    ...(finishedAt !== null && { finishedAt: new Date(finishedAt).toISOString() }),
  }
}

/** Byte counts are texts, so that no client loses precision. */
function withTexts(facts: Facts): Facts {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      /bytes$/i.test(name) && typeof value === 'number' ? String(value) : value,
    ]),
  )
}

function shown(figures: StorageFigures): StorageBody {
  const { blobBytes, logicalBytes, stagedBytes, freeBytes, limitBytes, counts } = figures
  const { images, blobs, manifests, tags, repositories, uploads, pushes } = counts
  return {
    bytes: {
      blobs: String(blobBytes),
      logical: String(logicalBytes),
      staged: String(stagedBytes),
      ...(freeBytes !== null && { free: String(freeBytes) }),
      ...(limitBytes !== null && { limit: String(limitBytes) }),
    },
    ...(blobBytes > 0 && { dedupRatio: Number((logicalBytes / blobBytes).toFixed(3)) }),
    counts: { images, blobs, manifests, tags, repositories, uploads, pushes },
  }
}

/** Sums are for all who may look; names are for those who may pull. */
function sharesBody(c: Call, { items, others }: StorageShares): SharesBody {
  const caller = c.get('caller')
  return {
    items: items.map(({ bytes, blobs, repositories, holders }) => ({
      bytes: String(bytes),
      blobs,
      repositories: repositories.filter((name) => caller.may('pull', name)),
      holders,
    })),
    others: { ...others, bytes: String(others.bytes) },
  }
}
