import { Hono } from 'hono'
import { Refusal } from '../../errors.ts'
import type { Call, Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import { envelope } from '../registry/envelope.ts'
import { readSmallBody } from '../small-body.ts'
import { challengePassword } from './challenge.ts'
import type { Gate } from './gate.ts'
import { lifetime } from './issued-tokens.ts'
import { grant, parseScopes } from './scope.ts'
import type { Visitor } from './visitor.ts'

/** A hundred scopes and a password. */
const largestForm = 64 * 1024

/** From the head of the request to the last byte of its form, in milliseconds. */
const within = 30_000

/** `/token`: registry clients change credentials for a short-lived token (distribution, "Token Authentication"). */
export function tokenRoutes(gate: Gate): Routes {
  return new Hono<Env>()
    .use('/token', async (c, next) => {
      c.header('cache-control', 'no-store')
      await next()
    })
    .get('/token', async (c) => {
      const visitor = await gate.visitor(c, 'own', challengePassword)
      return await issue(c, gate, visitor, c.req.queries('scope') ?? [])
    })
    .post('/token', (c) => exchange(c, gate))
    .all('/token', only('GET', 'HEAD', 'POST'))
    .onError(envelope)
}

/** The OAuth 2 form of the same (RFC 6749, section 4.3), which containerd tries first. */
async function exchange(c: Call, gate: Gate): Promise<Response> {
  const { incoming, outgoing } = c.env
  const sent = await readSmallBody(incoming, { limit: largestForm, within, tooLarge, outgoing })
  const form = new URLSearchParams(sent.toString())
  const name = form.get('username')
  const secret = form.get('password')
  if (form.get('grant_type') !== 'password') {
    return misuse(c, 'unsupported_grant_type', 'only the grant type "password" is known here')
  }
  if (name === null || secret === null) {
    return misuse(c, 'invalid_request', 'username and password are missing')
  }
  const visitor = await gate.visitorBy(c, { name, secret }, challengePassword)
  return await issue(c, gate, visitor, form.getAll('scope'))
}

function tooLarge(): Refusal {
  return new Refusal('CONTENT_TOO_LARGE', `a token request has at most ${largestForm} bytes`)
}

async function issue(
  c: Call,
  gate: Gate,
  visitor: Visitor,
  scopes: readonly string[],
): Promise<Response> {
  const access = grant(parseScopes(scopes), visitor)
  const { identity } = visitor
  if (!identity && !(access.length > 0 || (scopes.length === 0 && gate.admitsAnonymous))) {
    challengePassword(c)
    throw new Refusal('UNAUTHORIZED', 'that takes credentials; log in')
  }
  const { service } = gate.siteOf(c)
  const { token, at } = await gate.issued.issue({ holder: identity, access }, service)
  return c.json({
    token,
    access_token: token,
    expires_in: lifetime,
    issued_at: at.toISOString(),
  })
}

/** RFC 6749, section 5.2. */
function misuse(c: Call, error: string, description: string): Response {
  return c.json({ error, error_description: description }, 400)
}
