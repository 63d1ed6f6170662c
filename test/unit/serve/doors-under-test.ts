import { Hono } from 'hono'
import { cacheability, demand, demandImage, demandList } from '../../../src/serve/auth/access.ts'
import { doors } from '../../../src/serve/auth/doors.ts'
import { Gate, type GateOptions } from '../../../src/serve/auth/gate.ts'
import { tokenRoutes } from '../../../src/serve/auth/token-routes.ts'
import type { Env } from '../../../src/serve/context.ts'
import { problem } from '../../../src/serve/problem.ts'
import { envelope } from '../../../src/serve/registry/envelope.ts'
import { ServerKey } from '../../../src/work/server-key.ts'
import type { CallerPaths } from '../../support/callers.ts'
import { listening } from './listener-under-test.ts'

/** A service of two routes behind the doors, asked without a socket. */
export async function guarded(
  paths: CallerPaths,
  options: Partial<GateOptions> = {},
  open = false,
) {
  const { log, lines } = listening()
  const gate = await Gate.open({
    tokensFile: paths.tokens,
    htpasswdFile: paths.passwords,
    accessFile: paths.access,
    cluster: null,
    anonymousPull: false,
    publicUrl: null,
    internalUrl: null,
    trustedProxies: ['10.0.0.0/8'],
    issuingKey: new ServerKey(Buffer.alloc(32, 1)).issuingKey,
    log,
    ...options,
  })
  const registry = new Hono<Env>()
    .get('/v2/', (c) => c.text('ok'))
    .get('/v2/_catalog', (c) => {
      demandList(c)
      return c.text(c.get('caller').name ?? '')
    })
    .get('/v2/odd/:name', (c) => {
      demand(c, 'push', c.req.param('name'))
      return c.text(cacheability(c, c.req.param('name')))
    })
    .all('/v2/*', (c) => c.text('done'))
    .onError(envelope)
  const routes = new Hono<Env>()
    .use(async (c, next) => {
      c.set('log', log)
      await next()
    })
    .route('/', doors(open ? null : gate))
    .route('/', tokenRoutes(gate))
    .get('/api/v1/images/:name/disk', (c) => {
      demandImage(c, 'pull', c.req.param('name'))
      return c.text('disk')
    })
    .all('/api/*', (c) => c.text('rest'))
    .route('/', registry)
    .onError((error, c) => problem(c, error))
  const ask = async (
    path: string,
    headers: Record<string, string> = {},
    { method = 'GET', peer = '192.0.2.1' } = {},
  ) => {
    const all = { host: 'images.example.com:8080', ...headers }
    const bindings = { incoming: { socket: { remoteAddress: peer }, headers: all } }
    return await routes.request(path, { method, headers: all }, bindings)
  }
  const status = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).status
  return { ask, status, lines, gate }
}
