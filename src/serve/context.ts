import type { HttpBindings } from '@hono/node-server'
import type { Context, Hono } from 'hono'
import type { Log } from '../log.ts'

/** What every request carries. Uploads and blobs use the raw request and response under `Bindings`. */
export type Env = {
  readonly Bindings: HttpBindings
  readonly Variables: { readonly requestId: string; readonly log: Log }
}

export type Call = Context<Env>
export type Routes = Hono<Env>
