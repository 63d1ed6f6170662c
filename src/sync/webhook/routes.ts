import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'

type Options = { readonly limits: { readonly body: number } }

/** What the API server asks; nothing yet. */
export function routesOf({ limits }: Options): Hono {
  return new Hono().use(bodyLimit({ maxSize: limits.body }))
}
