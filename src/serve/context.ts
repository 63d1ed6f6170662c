import type { HttpBindings } from '@hono/node-server'
import type { Context, Hono } from 'hono'
import type { Log } from '../log.ts'
import type { Caller } from './auth/caller.ts'
import type { Site } from './auth/site.ts'
import type { Visit } from './traffic.ts'

/** What every request carries. Uploads and blobs use the raw request and response under `Bindings`. */
export type Env = {
  readonly Bindings: HttpBindings & {
    /** Of the listener; null where a request came by another way. */
    readonly visit?: Visit | null
  }
  readonly Variables: {
    readonly requestId: string
    readonly log: Log
    /** On `/v2` and `/api` alone. */
    readonly caller: Caller
    /** The rest is there where there are credentials: where this service is, who asks, what anybody may pull. */
    readonly site?: Site
    readonly address?: string
    readonly isPublic?: (repository: string) => boolean
    /** How to come in, a scheme a line, of a request that is refused for that. */
    readonly challenges?: readonly string[]
  }
}

export type Call = Context<Env>
export type Routes = Hono<Env>
