import { Refusal } from '../../errors.ts'
import type { Call } from '../context.ts'
import { targetOf, type Target } from '../registry/target.ts'
import type { Action } from './caller.ts'
import type { Site } from './site.ts'

/** Why a token that was shown does not do (RFC 6750, section 3.1). */
export type BearerError = 'invalid_token' | 'insufficient_scope'

const basic = 'Basic realm="slipway"'

/**
 * Tells a client of the registry how to come in: by a token for `scope`, or by name and password with each request. As
 * headers of the answer to come, so that they go out with whatever renders the error.
 */
export function challengeRegistry(c: Call, scope: string | null, error: BearerError | null): void {
  const site = c.get('site')
  if (site) challenge(c, bearer(site, scope, error))
  challenge(c, basic)
}

function bearer({ realm, service }: Site, scope: string | null, error: BearerError | null): string {
  const parameters = { realm, service, ...(scope && { scope }), ...(error && { error }) }
  const told = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`)
  return `Bearer ${told.join(',')}`
}

export function challengeRest(c: Call): void {
  challenge(c, basic)
  challenge(c, 'Bearer realm="slipway"')
}

export function challengePassword(c: Call): void {
  challenge(c, basic)
}

function challenge(c: Call, line: string): void {
  c.header('www-authenticate', line, { append: true })
  c.set('challenges', [...(c.get('challenges') ?? []), line])
}

/**
 * Each challenge goes out in a line of its own. In one line, separated by commas, they mean the same (RFC 9110 section
 * 11.6.1), but some clients read one scheme a line.
 */
export function spreadChallenges(c: Call): void {
  const lines = c.get('challenges')
  if (!lines) return
  c.res.headers.delete('www-authenticate')
  c.env.outgoing.setHeader('www-authenticate', lines)
}

export const catalogScope = 'registry:catalog:*'

/** What a token has to be for. Who pushes looks first for what is there already. */
export function scopeOf(action: Action, repository: string): string {
  return `repository:${repository}:${action === 'push' ? 'pull,push' : action}`
}

/** What a request is for, as far as its method and path tell; null when they do not. */
export type Aim = { readonly action: Action; readonly repository: string } | 'catalog' | null

const reading = new Set(['GET', 'HEAD', 'OPTIONS'])

export function aimOf({ req: { method, path } }: Call): Aim {
  const target = targetIn(path)
  if (target === null) return null
  if (target.kind === 'catalog') return 'catalog'
  const { kind, repository } = target
  if (kind === 'upload') return { action: 'push', repository }
  if (reading.has(method)) return { action: 'pull', repository }
  return { action: method === 'DELETE' ? 'delete' : 'push', repository }
}

/** A path that means nothing is for the routes to refuse. */
function targetIn(path: string): Target | null {
  try {
    return targetOf(path)
  } catch (error) {
    if (error instanceof Refusal) return null
    throw error
  }
}

/** What a token would have to be for. */
export function scopeOfAim(aim: Aim): string | null {
  if (aim === null) return null
  return aim === 'catalog' ? catalogScope : scopeOf(aim.action, aim.repository)
}
