import { Hono } from 'hono'
import type { Metrics } from '../metrics.ts'
import type { Env, Routes } from './context.ts'
import { only } from './methods.ts'

export type MetricsOptions = { readonly metrics: Metrics }

/** `/metrics`, as Prometheus reads it. */
export function metricsRoutes({ metrics }: MetricsOptions): Routes {
  return new Hono<Env>()
    .get('/metrics', async (c) => c.body(await metrics.text(), 200, headersOf(metrics)))
    .all('/metrics', only('GET', 'HEAD'))
}

function headersOf({ contentType }: Metrics) {
  return { 'content-type': contentType, 'cache-control': 'no-store' }
}
