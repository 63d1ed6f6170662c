import { z } from 'zod'
import { Refusal } from '../../errors.ts'
import { ask } from '../exchange.ts'
import { basic, shown, type Request } from '../request.ts'
import { statusFailure } from '../status.ts'
import { travel, type Arrival, type Line } from '../travel.ts'
import { identityName, type Credentials } from './credentials.ts'
import { readSmall } from './small-body.ts'

export type TokenRequest = {
  readonly realm: URL
  readonly service: string | null
  /** `repository:team/image:pull`. */
  readonly scope: string
}

export type Token = {
  readonly text: string
  /** Milliseconds that it holds for. */
  readonly lifetime: number
}

/** Those of Azure have some KiB, those of others less. */
const mostBytes = 1024 * 1024

/**
 * Asks for a token as the distribution project's "Token Authentication Specification" says, anonymously without credentials,
 * and with an identity token as its "OAuth2 Token Authentication" does.
 * @returns null when the credentials, or the lack of them, do not do
 * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN; Outage SOURCE_UNAVAILABLE
 */
export async function fetchToken(
  asked: TokenRequest,
  credentials: Credentials | null,
  line: Line,
  signal: AbortSignal,
): Promise<Token | null> {
  const arrival = await answerTo(asked, credentials, line, signal)
  const { answer, request } = arrival
  if (answer.status === 200) return tokenIn(await read(arrival, line, signal), request.url)
  await answer.release()
  if (answer.status === 401 || answer.status === 403) return null
  throw statusFailure(answer, request.url)
}

async function answerTo(
  asked: TokenRequest,
  credentials: Credentials | null,
  line: Line,
  signal: AbortSignal,
): Promise<Arrival> {
  if (credentials?.kind === 'identity') {
    const arrival = await refresh(asked, credentials.token, line, signal)
    if (arrival.answer.status !== 404 && arrival.answer.status !== 405) return arrival
    // Issuers without OAuth take it as a password, as docker does.
    await arrival.answer.release()
  }
  return await travel({ url: queryOf(asked), secrets: secretsOf(credentials) }, {}, line, signal)
}

/** A redirect is not followed: nothing may carry the form to another place. */
async function refresh(
  { realm, service, scope }: TokenRequest,
  token: string,
  line: Line,
  signal: AbortSignal,
): Promise<Arrival> {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: token,
    client_id: 'slipway',
    scope,
    ...(service !== null && { service }),
  })
  const request: Request = { url: realm, secrets: {}, form }
  const headers = { 'accept-encoding': 'identity', 'user-agent': line.userAgent }
  return { answer: await ask(request, headers, line, signal), request }
}

function queryOf({ realm, service, scope }: TokenRequest): URL {
  const url = new URL(realm)
  if (service !== null) url.searchParams.set('service', service)
  url.searchParams.set('scope', scope)
  return url
}

function secretsOf(credentials: Credentials | null): Request['secrets'] {
  if (credentials?.kind === 'login') {
    return { authorization: basic(credentials.username, credentials.password) }
  }
  if (credentials?.kind !== 'identity') return {}
  return { authorization: basic(identityName, credentials.token) }
}

async function read(arrival: Arrival, { silence }: Line, signal: AbortSignal): Promise<unknown> {
  const { url } = arrival.request
  const tooLarge = () => useless(url, `more than ${mostBytes} bytes`)
  const bytes = await readSmall(arrival, { most: mostBytes, silence, tooLarge }, signal)
  try {
    return JSON.parse(bytes.toString())
  } catch {
    // What the parser says of it quotes it, and it may be a token.
    throw useless(url, 'no JSON')
  }
}

/** What fits into a header. */
const token = z.string().regex(/^[\x21-\x7e]+$/)
const answerSchema = z
  .looseObject({
    token: z.union([token, z.literal('')]).nullish(),
    access_token: z.union([token, z.literal('')]).nullish(),
    expires_in: z.number().positive().nullish().catch(null),
  })
  .transform((answer) => ({ ...answer, text: answer.token || answer.access_token }))

/** Seconds that a token holds for where its issuer does not say. */
const usualLifetime = 60

function tokenIn(answer: unknown, url: URL): Token {
  const { data } = answerSchema.safeParse(answer)
  if (!data?.text) throw useless(url, 'no token')
  return { text: data.text, lifetime: (data.expires_in ?? usualLifetime) * 1000 }
}

function useless(url: URL, found: string): Refusal {
  const message = `the registry sends for a token to ${shown(url)}, which answered with ${found}; ask the registry's operator`
  return new Refusal('SOURCE_REFUSED', message)
}
