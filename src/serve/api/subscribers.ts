import { Hono } from 'hono'
import type { Notice } from '../../catalog/notices.ts'
import { Refusal } from '../../errors.ts'
import type { Notifier, Standing } from '../../work/notify/notifier.ts'
import { demandReach } from '../auth/access.ts'
import { gone } from '../bytes.ts'
import type { Call, Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import { optionalBody, query } from './asked.ts'
import {
  redeliverRequest,
  undeliveredQuery,
  type SubscriberBody,
  type UndeliveredBody,
} from './subscriber-schema.ts'

export type SubscriberOptions = {
  /** Null where nobody wants to be told anything. */
  readonly notifier: Notifier | null
}

/** `/api/v1/subscribers`: who is told of events, and how that goes. For admins. */
export function subscriberRoutes({ notifier }: SubscriberOptions): Routes {
  return new Hono<Env>()
    .use(async (c, next) => {
      demandReach(c, 'maintain')
      c.header('cache-control', 'no-store')
      await next()
    })
    .get('/', async (c) => c.json({ items: ((await notifier?.list()) ?? []).map(shown) }))
    .get('/:name/undelivered', async (c) => c.json(await page(c, known(notifier))))
    .post('/:name/redeliver', async (c) => {
      const { id = null } = await optionalBody(c, redeliverRequest)
      const events = await known(notifier).tryAgain(c.req.param('name'), id)
      return c.json({ events }, 202)
    })
    .post('/:name/ping', async (c) => {
      const verdict = await known(notifier).ping(c.req.param('name'), gone(c.env.outgoing))
      if (verdict.kind === 'delivered') return c.json({ delivered: true })
      return c.json({ delivered: false, problem: verdict.problem })
    })
    .all('/', only('GET', 'HEAD'))
    .all('/:name/undelivered', only('GET', 'HEAD'))
    .all('/:name/redeliver', only('POST'))
    .all('/:name/ping', only('POST'))
}

/** @throws Refusal NOT_FOUND */
function known(notifier: Notifier | null): Notifier {
  if (notifier) return notifier
  throw new Refusal('NOT_FOUND', 'there are no subscribers; SLIPWAY_SUBSCRIBERS_FILE names them')
}

async function page(c: Call, notifier: Notifier): Promise<UndeliveredBody> {
  const { limit, continue: after = 0 } = query(c, undeliveredQuery)
  const found = await notifier.undelivered(c.req.param('name') ?? '', after, limit + 1)
  const items = found.slice(0, limit)
  const last = found.length > limit ? items.at(-1) : undefined
  return { items: items.map(undelivered), ...(last && { continue: String(last.seq) }) }
}

function undelivered({ id, type, subject, at, tries, problem }: Notice) {
  return { id, type: `dev.slipway.${type}`, subject, time: time(at), tries, problem }
}

function shown({ subscriber, backlog, seen }: Standing): SubscriberBody {
  const { name, url, form, events } = subscriber
  const { waiting, undelivered: given, oldest } = backlog
  const { deliveredAt, failedAt, problem, restUntil } = seen
  return {
    name,
    url: `${url.origin}${url.pathname}`,
    form,
    events: [...events],
    waiting,
    undelivered: given,
    ...(oldest !== null && { oldest: time(oldest) }),
    ...(deliveredAt !== null && { lastDelivered: time(deliveredAt) }),
    ...(failedAt !== null && { lastFailed: time(failedAt), problem }),
    ...(restUntil !== null && { nextTry: time(restUntil) }),
  }
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
