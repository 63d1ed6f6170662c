import { Hono, type MiddlewareHandler } from 'hono'
import { Refusal } from '../../errors.ts'
import type { Call, Env, Routes } from '../context.ts'
import { envelope } from '../registry/envelope.ts'
import { demand, demandIdentity, demandList, demandReach } from './access.ts'
import { everyone } from './caller.ts'
import { aimOf, challengeRegistry, challengeRest, scopeOfAim } from './challenge.ts'
import type { Gate } from './gate.ts'

/**
 * Stands before everything that asks who somebody is. What needs no credentials is not named here: health, the document,
 * and uploads, whose token is their credential.
 * @param gate null: everyone may do everything
 */
export function doors(gate: Gate | null): Routes {
  const routes = new Hono<Env>()
  if (!gate) return routes.use(openDoor)
  return routes
    .route('/', registryDoor(gate))
    .use('/api/*', restDoor(gate))
    .use('/metrics', metricsDoor(gate))
}

const openDoor: MiddlewareHandler<Env> = async (c, next) => {
  c.set('caller', everyone)
  await next()
}

function registryDoor(gate: Gate): Routes {
  return new Hono<Env>()
    .use('/v2/*', async (c, next) => {
      stand(c, gate)
      const caller = await gate.visitor(c, 'issued', (c, isTokenBad) =>
        challengeRegistry(c, scopeOfAim(aimOf(c)), isTokenBad ? 'invalid_token' : null),
      )
      c.set('caller', caller)
      // `docker login` and others ask here whether they have to log in, so it takes credentials where any exist.
      if (/^\/v2\/?$/.test(c.req.path) && caller.name === null && !caller.isScoped) {
        challengeRegistry(c, null, null)
        throw new Refusal('UNAUTHORIZED', 'this registry knows its callers; log in')
      }
      demandAim(c)
      await next()
    })
    .onError(envelope)
}

/** The routes ask for what they do by themselves. What is refused here costs the client no body. */
function demandAim(c: Call): void {
  const aim = aimOf(c)
  if (aim === 'catalog') demandList(c)
  else if (aim) demand(c, aim.action, aim.repository)
}

const reading = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Asked with a body, and changes nothing. */
const evaluation = '/api/v1/virtual-machine-classes/evaluate'
const disk = /^\/api\/v1\/images\/[^/]+\/disk$/

/** To look takes a viewer, all else an editor. A disk is pulled, so its route asks for that by itself. */
function restDoor(gate: Gate): MiddlewareHandler<Env> {
  return async (c, next) => {
    stand(c, gate)
    c.set('caller', await gate.visitor(c, 'own', challengeRest))
    const isReading = reading.has(c.req.method) || c.req.path === evaluation
    if (!isReading || !disk.test(c.req.path)) demandReach(c, isReading ? 'read' : 'write')
    await next()
  }
}

/** Whatever the role: a program that gathers metrics need not be able to do anything else. */
function metricsDoor(gate: Gate): MiddlewareHandler<Env> {
  return async (c, next) => {
    stand(c, gate)
    c.set('caller', await gate.visitor(c, 'own', challengeRest))
    demandIdentity(c)
    await next()
  }
}

function stand(c: Call, gate: Gate): void {
  c.set('site', gate.siteOf(c))
  c.set('address', gate.addressOf(c))
  c.set('isPublic', (repository) => gate.isPublic(repository))
}
