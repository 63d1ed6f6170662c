import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import {
  getRequestListener,
  RequestError,
  type Http2Bindings,
  type HttpBindings,
} from '@hono/node-server'
import { hostPort, type Listen } from '../env.ts'
import { errno, Refusal } from '../errors.ts'
import type { Log } from '../log.ts'
import {
  asksForUpgrade,
  faultOf,
  refuseFault,
  refuseHead,
  refuseTarget,
  type HeadLimits,
} from './bad-heads.ts'
import { boundConnections, close, Connections } from './connections.ts'
import type { Routes } from './context.ts'
import { Renewal } from '../tls/renewal.ts'
import type { KeyPair, TlsFiles } from '../tls/pair.ts'
import { Running } from './running.ts'
import { listenTogether, portOf } from './sockets.ts'
import type { Traffic } from './traffic.ts'

/** What one client may ask of the listener; times in milliseconds. */
export type Limits = HeadLimits & {
  readonly handshakeWithin: number
  /** Of a connection between two requests. */
  readonly keepAlive: number
  /** At the same time; those beyond are closed unheard. */
  readonly connections: number
  /** From the order to end until a connection that has not asked for anything is closed. */
  readonly silentAtEnd: number
  /** From the end of all connections until the work on their requests, a sync of the disk as a rule, is left behind. */
  readonly handledWithin: number
}

const usual: Limits = {
  headWithin: 30_000,
  headSize: 32 * 1024,
  headFields: 200,
  handshakeWithin: 20_000,
  // Proxies keep idle connections for a minute; ours must not be the first to close.
  keepAlive: 75_000,
  connections: 10_000,
  silentAtEnd: 1000,
  handledWithin: 10_000,
}

const ofSockets = {
  allowHalfOpen: true,
  noDelay: true,
  // Of a request that nobody reads yet so many bytes are kept, be each of them a chunk of its own.
  highWaterMark: 64 * 1024,
} as const

export type ListenOptions = {
  /** Null for plain HTTP. */
  readonly tls: TlsFiles | null
  readonly log: Log
  readonly limits?: Partial<Limits>
  /** Is told of all that comes and goes. */
  readonly traffic?: Traffic | null
}

export type Listener = {
  /** With the port that was really taken. */
  readonly address: Listen
  /** Takes no new connections, lets answers go out, and cuts those that still run after `grace` milliseconds. */
  close(grace: number): Promise<void>
}

/**
 * The one listener. Bodies have no time limit here: they may take ten hours.
 * @throws Refusal when the address is taken, or certificate and key cannot be used
 */
export async function listen(
  routes: Routes,
  address: Listen,
  { tls, log, limits: some = {}, traffic = null }: ListenOptions,
): Promise<Listener> {
  const limits = { ...usual, ...some }
  using resources = new DisposableStack()
  const renewal =
    tls &&
    resources.use(await Renewal.open(tls, { log, named: 'SLIPWAY_TLS_CERT and SLIPWAY_TLS_KEY' }))
  const server = open(limits, renewal, log)
  const connections = new Connections(server, tls !== null)
  const running = new Running(log)
  traffic?.follow(() => connections.count)
  answer(server, { routes, connections, limits, running, traffic, log })
  boundConnections(server, connections, limits.connections, log, () => traffic?.dropped())
  // Whoever is dropped by the kernel comes again after one second, then two, four, and may be behind all others each time.
  const listening = await start(server, address, limits.connections)
  const held = resources.move()
  return {
    address: { host: address.host, port: portOf(server) },
    async close(grace) {
      held.dispose()
      await close(listening, connections, { grace, silent: limits.silentAtEnd })
      await running.ended(limits.handledWithin)
    },
  }
}

function open(limits: Limits, renewal: Renewal | null, log: Log): Server {
  const options = {
    requestTimeout: 0,
    headersTimeout: limits.headWithin,
    // Late heads are looked for so often.
    connectionsCheckingInterval: Math.min(1000, limits.headWithin),
    keepAliveTimeout: limits.keepAlive,
    maxHeaderSize: limits.headSize,
    // Node's own refusal of a missing one does not keep it from doing what comes behind.
    requireHostHeader: false,
    ...ofSockets,
  }
  if (!renewal) return createServer(options)
  const handshakeTimeout = limits.handshakeWithin
  const server = createTlsServer({ ...options, ...secure(renewal.pair), handshakeTimeout })
  // Connections that are open keep what they have agreed on.
  renewal.follow((pair) => server.setSecureContext(secure(pair)))
  server.on('tlsClientError', (err, { remoteAddress }) => {
    log.debug({ err, remoteAddress }, 'a TLS handshake failed')
  })
  return server
}

function secure({ cert, key }: KeyPair) {
  return { cert, key, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] } as const
}

type Answering = {
  readonly routes: Routes
  readonly connections: Connections
  readonly limits: Limits
  readonly running: Running
  readonly traffic: Traffic | null
  readonly log: Log
}

function answer(server: Server, answering: Answering): void {
  const { routes, connections, limits, running, traffic, log } = answering
  const visitOf = ({ outgoing }: { readonly outgoing: object }) =>
    outgoing instanceof ServerResponse ? (traffic?.of(outgoing) ?? null) : null
  const fetch = (request: Request, bindings: HttpBindings | Http2Bindings) =>
    routes.fetch(request, { ...bindings, visit: visitOf(bindings) })
  const handle = getRequestListener(fetch, {
    overrideGlobalObjects: false,
    // HTTP/1.0 knows no Host: load balancers look at /healthz so.
    hostname: 'localhost',
    errorHandler: (error) => refused(error, log),
  })
  const take = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const fault = faultOf(incoming, limits)
    const isLast = fault !== null || asksForUpgrade(incoming)
    if (!connections.begin(outgoing, isLast)) return
    traffic?.begin(incoming, outgoing)
    if (fault) refuseFault(outgoing, fault)
    else running.add(handle(incoming, outgoing))
  }
  server.on('request', take)
  server.on('checkContinue', take)
  server.on('checkExpectation', take)
  server.maxHeadersCount = limits.headFields + 1
  server.on('clientError', (error, socket) => {
    if (connections.isFree(socket)) {
      const status = refuseHead(error, socket, limits)
      traffic?.refused(status)
    } else socket.destroy()
  })
}

/** What never came to a route. */
function refused(error: unknown, log: Log): Response {
  if (error instanceof RequestError) return refuseTarget()
  log.error({ err: error }, 'a request ended without an answer')
  return new Response(null, { status: 500 })
}

async function start(server: Server, { host, port }: Listen, backlog: number) {
  try {
    return await listenTogether(server, { host, port }, { ...ofSockets, backlog })
  } catch (cause) {
    throw new Refusal(
      'UNSUPPORTED',
      `cannot listen on ${hostPort({ host, port })} (${errno(cause) ?? 'unknown'}); stop what listens there, or set SLIPWAY_LISTEN`,
      { cause },
    )
  }
}
