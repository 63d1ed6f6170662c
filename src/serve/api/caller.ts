import { Hono } from 'hono'
import { reaches } from '../auth/access.ts'
import type { Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import { callerReach, type CallerBody } from './caller-schema.ts'

/** `/api/v1/caller`: who asks, and what of REST is open to that one, so that a page offers nothing else. */
export function callerRoutes(): Routes {
  return new Hono<Env>()
    .get('/', (c) => {
      c.header('cache-control', 'no-store')
      const { name } = c.get('caller')
      const body: CallerBody = { name, reaches: callerReach.filter((reach) => reaches(c, reach)) }
      return c.json(body)
    })
    .all('/', only('GET', 'HEAD'))
}
