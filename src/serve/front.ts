import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import { Refusal } from '../errors.ts'
import type { Log } from '../log.ts'
import { callerRoutes } from './api/caller.ts'
import { openApiDocument } from './api/document.ts'
import { eventRoutes } from './api/events.ts'
import { imageRoutes, type ApiOptions } from './api/images.ts'
import { machineClassRoutes } from './api/machine-classes.ts'
import { probeRoutes, type ProbeOptions } from './api/probe.ts'
import { subscriberRoutes, type SubscriberOptions } from './api/subscribers.ts'
import { storageRoutes, type StorageOptions } from './api/storage.ts'
import { spreadChallenges } from './auth/challenge.ts'
import { doors } from './auth/doors.ts'
import { tokenRoutes } from './auth/token-routes.ts'
import type { Call, Env, Routes } from './context.ts'
import { cors } from './cors.ts'
import { guard } from './guard.ts'
import { only, shownPath } from './methods.ts'
import { healthRoutes, type HealthOptions } from './health.ts'
import { metricsRoutes, type MetricsOptions } from './metrics.ts'
import { problem } from './problem.ts'
import { envelope } from './registry/envelope.ts'
import { registryRoutes, type RegistryOptions } from './registry/registry.ts'
import { expectsContinue } from './request-body.ts'
import type { Traces } from '../traces.ts'
import { traced } from './traced.ts'
import { uploadRoutes, type UploadOptions } from './upload/upload.ts'
import { webRoutes } from './web/routes.ts'

export type FrontOptions = ApiOptions &
  ProbeOptions &
  HealthOptions &
  MetricsOptions &
  StorageOptions &
  SubscriberOptions &
  RegistryOptions &
  UploadOptions & {
    readonly log: Log
    readonly traces: Traces
    readonly version: string
    /** No credentials, and nobody said that this is meant. */
    readonly loopbackOnly: boolean
    /** As in SLIPWAY_PUBLIC_URL, null for none. */
    readonly publicUrl: string | null
    /** As in SLIPWAY_CORS_ORIGINS. */
    readonly corsOrigins: readonly string[]
  }

/** Everything that is served, under one application. */
export function front(options: FrontOptions): Routes {
  const document = openApiDocument(options.version)
  return new Hono<Env>()
    .use(identify(options.log))
    .use(traced(options.traces))
    .use(limitSilence)
    .use(cors(options.corsOrigins))
    .use(guard(options))
    .route('/', doors(options.gate))
    .use(async (c, next) => {
      // Whoever reads a body answers this by itself, after it has looked at what else the request says.
      if (
        expectsContinue(c.env.incoming) &&
        !/^\/(?:upload\/|v2\/|api\/|token$)/.test(c.req.path)
      ) {
        c.env.outgoing.writeContinue()
      }
      await next()
    })
    .route('/', options.gate ? tokenRoutes(options.gate) : new Hono<Env>())
    .route('/', healthRoutes(options))
    .route('/', metricsRoutes(options))
    .get('/openapi.json', (c) => c.json(document))
    .all('/openapi.json', only('GET', 'HEAD'))
    .route('/api/v1/images', imageRoutes(options))
    .route('/api/v1/events', eventRoutes(options))
    .route('/api/v1/probe', probeRoutes(options))
    .route('/api/v1/storage', storageRoutes(options))
    .route('/api/v1/subscribers', subscriberRoutes(options))
    .route('/api/v1/caller', callerRoutes())
    .route('/api/v1/virtual-machine-classes', machineClassRoutes())
    .route('/upload', uploadRoutes(options))
    .route('/', registryRoutes(options))
    .route('/', webRoutes({ ...options, document }))
    .notFound((c) => problem(c, nothing(c)))
    .onError((error, c) => (isRegistry(c.req.path) ? envelope(error, c) : problem(c, error)))
}

function isRegistry(path: string): boolean {
  return /^\/v2(?:\/|$)/.test(path)
}

function nothing(c: Call): Refusal {
  return new Refusal(
    'NOT_FOUND',
    `there is nothing to ${c.req.method} at ${shownPath(c.req.path)}; /openapi.json lists what there is`,
  )
}

/** A client that neither sends nor reads for so long has gone, in milliseconds; uploads and pushes have limits of their own. */
const silence = 300_000

function limitSilence(c: Call, next: () => Promise<void>): Promise<void> {
  if (!/^\/upload\/|\/blobs\/uploads\//.test(c.req.path)) c.env.outgoing.setTimeout(silence)
  return next()
}

/** Gives every request an id, in its answer and in every line of the log about it. */
function identify(log: Log) {
  return async (c: Call, next: () => Promise<void>): Promise<void> => {
    const requestId = randomUUID()
    c.set('requestId', requestId)
    c.set('log', log.child({ requestId }))
    c.env.outgoing.setHeader('x-request-id', requestId)
    if (c.env.visit) c.env.visit.call = c
    await next()
    spreadChallenges(c)
  }
}
