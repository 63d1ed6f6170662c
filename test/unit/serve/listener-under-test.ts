import { connect, type Socket } from 'node:net'
import { Hono } from 'hono'
import { pino } from 'pino'
import type { Env, Routes } from '../../../src/serve/context.ts'
import { listen, type Listener, type ListenOptions } from '../../../src/serve/listener.ts'
import { Wire } from '../../support/wire.ts'

export type Line = { readonly msg: string; readonly level: number } & Record<string, unknown>

/** A log, and what was said. */
export function listening() {
  const lines: Line[] = []
  const stream = { write: (text: string) => void lines.push(JSON.parse(text)) }
  return { log: pino({ level: 'debug' }, stream), lines }
}

export type Listening = AsyncDisposable & {
  readonly listener: Listener
  readonly base: string
  readonly lines: readonly Line[]
  /** A connection over which nothing was sent yet. */
  readonly connect: () => Promise<Wire>
}

/** A real listener on loopback, for routes of a test. */
export async function serve(
  routes: Routes,
  { tls = null, limits = {}, traffic = null }: Partial<Omit<ListenOptions, 'log'>> = {},
): Promise<Listening> {
  const { log, lines } = listening()
  const listener = await listen(
    routes,
    { host: '127.0.0.1', port: 0 },
    { tls, log, limits, traffic },
  )
  const { port } = listener.address
  const closed = { is: false }
  return {
    listener: {
      address: listener.address,
      async close(grace) {
        closed.is = true
        await listener.close(grace)
      },
    },
    base: `http${tls ? 's' : ''}://127.0.0.1:${port}`,
    lines,
    connect: async () => new Wire(await connected(port)),
    async [Symbol.asyncDispose]() {
      if (!closed.is) await listener.close(0)
    },
  }
}

export async function connected(port: number): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket)).once('error', reject)
  })
}

/** Answers `/` at once, and `/slow` when it is let: its head first, its body after another. */
export function slowRoutes() {
  const asked = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const routes = new Hono<Env>()
    .get('/', (c) => c.text('here'))
    .get('/slow', async (c) => {
      asked.resolve()
      await go.promise
      return c.text('slow')
    })
    .get('/streamed', (c) => {
      const pieces = async function* () {
        yield 'first '
        begun.resolve()
        await goOn.promise
        yield 'second'
      }
      return c.body(ReadableStream.from(pieces()).pipeThrough(new TextEncoderStream()))
    })
  return { routes, asked: asked.promise, go: go.resolve, begun: begun.promise, goOn: goOn.resolve }
}

export const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
