import { Hono } from 'hono'
import type { Catalog } from '../catalog/catalog.ts'
import type { Store } from '../store/store.ts'
import type { Room } from '../work/room.ts'
import type { Env, Routes } from './context.ts'
import { only } from './methods.ts'

export type HealthOptions = {
  readonly catalog: Catalog
  readonly store: Pick<Store, 'probe'>
  readonly room: Room
  readonly closing: AbortSignal
  /** What is known to be wrong with the catalog and what belongs to it, each null for nothing. */
  readonly soundness: readonly { readonly problem: string | null }[]
}

/** A storage that answers later is of no use at present, in milliseconds. */
const probedWithin = 5000

/** `/healthz`: the process answers. `/readyz`: it can do its work (operations, "Behaviour"). */
export function healthRoutes(options: HealthOptions): Routes {
  return new Hono<Env>()
    .get('/healthz', (c) => c.text('ok\n'))
    .get('/readyz', async (c) => {
      const problems = await problemsOf(options)
      if (problems.length === 0) return c.text('ok\n')
      return c.text(`${problems.join('\n')}\n`, 503)
    })
    .all('/healthz', only('GET', 'HEAD'))
    .all('/readyz', only('GET', 'HEAD'))
}

async function problemsOf({
  catalog,
  store,
  room,
  closing,
  soundness,
}: HealthOptions): Promise<readonly string[]> {
  if (closing.aborted) return ['the service is shutting down']
  const checks = [
    ['the catalog cannot be written', catalog.probe()],
    ['the storage is out of reach', store.probe(AbortSignal.timeout(probedWithin))],
    ['nothing can be stored', room.check(0)],
  ] as const
  const results = await Promise.all(
    checks.map(([problem, check]) =>
      check.then(
        () => null,
        (error: unknown) => `${problem}: ${error instanceof Error ? error.message : 'unknown'}`,
      ),
    ),
  )
  return [...soundness.map(({ problem }) => problem), ...results].filter(
    (problem) => problem !== null,
  )
}
