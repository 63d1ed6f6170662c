import { once } from 'node:events'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { unknownImage } from '../../work/intake.ts'
import { demandImage } from '../auth/access.ts'
import type { Caller } from '../auth/caller.ts'
import type { Gate } from '../auth/gate.ts'
import { Visitor } from '../auth/visitor.ts'
import { gone, turnOf } from '../bytes.ts'
import type { Call, Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import { query } from './asked.ts'
import type { Feed } from './feed.ts'
import { eventsQuery } from './schema.ts'
import { Stream } from './stream.ts'

export type EventOptions = {
  readonly feed: Feed
  /** Asks for credentials; null where everyone may do everything. */
  readonly gate: Gate | null
  /** Ends waiting requests when the service stops. */
  readonly closing: AbortSignal
}

/** `/api/v1/events` (http-api, "REST"). */
export function eventRoutes(options: EventOptions): Routes {
  return new Hono<Env>().get('/', (c) => sendEvents(c, null, options)).all('/', only('GET', 'HEAD'))
}

const headers = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // What nginx understands: each event is passed on at once.
  'x-accel-buffering': 'no',
}

/**
 * What happens to images, or to one of them, for as long as the client listens, may listen, and the service runs.
 * @throws Refusal INVALID_REQUEST, UNAUTHORIZED, DENIED, IMAGE_NOT_FOUND
 */
export async function sendEvents(
  c: Call,
  name: string | null,
  options: EventOptions,
): Promise<Response> {
  const last = c.req.header('last-event-id') || query(c, eventsQuery).lastEventId
  if (name !== null) await demandThere(c, name, last, options.feed)
  const { outgoing } = c.env
  await turnOf(outgoing)
  const caller = c.get('caller')
  const again = () => renew(caller, options.gate)
  const stream = new Stream(options.feed, { name, again, from: placeOf(last) }, caller)
  outgoing.writeHead(200, headers)
  if (c.req.method === 'HEAD') outgoing.end()
  else await send(c, stream, options.closing)
  return RESPONSE_ALREADY_SENT
}

/** Who comes back may still have to be told that the image was deleted. */
async function demandThere(c: Call, name: string, last: string | undefined, { catalog }: Feed) {
  demandImage(c, 'pull', name)
  const image = last === undefined ? await catalog.read.images.byName(name) : null
  if (last === undefined && !image) throw unknownImage(name)
}

/** What we have never given out is no place to go on from. */
function placeOf(last: string | undefined): number | null {
  return last !== undefined && /^\d{1,15}$/.test(last) ? Number(last) : null
}

async function renew(caller: Caller, gate: Gate | null): Promise<Caller | null> {
  return gate && caller instanceof Visitor ? await gate.again(caller) : caller
}

async function send(c: Call, stream: Stream, closing: AbortSignal): Promise<void> {
  const { outgoing } = c.env
  const signal = AbortSignal.any([gone(outgoing), closing])
  // An answer without a first event has to be seen, too.
  outgoing.flushHeaders()
  if (outgoing.destroyed) return
  try {
    for await (const frame of stream.frames(signal)) {
      if (!outgoing.write(frame)) await once(outgoing, 'drain', { signal })
    }
    outgoing.end()
  } catch (error) {
    // Who does not read keeps nobody waiting: what is missing is told the next time.
    if (!signal.aborted) c.get('log').error({ err: error }, 'the events could not be told')
    outgoing.destroy()
  }
}
