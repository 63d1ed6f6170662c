import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { hostPort, type Listen } from '../env.ts'
import { errno, Refusal } from '../errors.ts'
import type { Routes } from './context.ts'

/** A client has so long to send a request's head; its body may take ten hours. */
const headWithin = 60_000
/** Proxies keep idle connections for a minute; ours must not be the first to close. */
const keepAlive = 75_000

export type Listener = {
  /** With the port that was really taken. */
  readonly address: Listen
  /** Takes no new connections, and cuts those that still run after `grace` milliseconds. */
  close(grace: number): Promise<void>
}

/** The one listener. */
export async function listen(routes: Routes, { host, port }: Listen): Promise<Listener> {
  const handle = getRequestListener((request, bindings) => routes.fetch(request, { ...bindings }), {
    overrideGlobalObjects: false,
  })
  const server = createServer({
    requestTimeout: 0,
    headersTimeout: headWithin,
    keepAliveTimeout: keepAlive,
    noDelay: true,
    highWaterMark: 1024 * 1024,
  })
  server.on('request', (incoming, outgoing) => void handle(incoming, outgoing))
  server.on('checkContinue', (incoming, outgoing) => void handle(incoming, outgoing))
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new Refusal(
      'UNSUPPORTED',
      `cannot listen on ${hostPort({ host, port })} (${errno(cause) ?? 'unknown'}); stop what listens there, or set SLIPWAY_LISTEN`,
      { cause },
    )
  }
  return { address: { host, port: portOf(server) }, close: (grace) => close(server, grace) }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

async function close(server: Server, grace: number): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  // A connection becomes idle when its answer is out; kept alive, it would hold up the end.
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const cut = setTimeout(() => server.closeAllConnections(), grace)
  try {
    await closed
  } finally {
    clearInterval(idle)
    clearTimeout(cut)
  }
}
