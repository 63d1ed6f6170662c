import { once } from 'node:events'
import type { Server, ServerResponse } from 'node:http'
import type { Server as NetServer, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Log } from '../log.ts'

type Connection = {
  readonly socket: Socket
  /** In the order of their requests. */
  readonly answers: Set<ServerResponse>
  /** An answer that went out before the whole body of its request was here. */
  early: ServerResponse | null
  /** Whether a request has come over it. */
  used: boolean
  /** Whether its newest answer says that it is the last. */
  ending: boolean
}

/** Who is connected, and who waits for an answer: what it takes to end without cutting an answer off. */
export class Connections {
  /** As they were accepted; with TLS, what lies beneath those over which requests come. */
  readonly #accepted = new Set<Socket>()
  readonly #open = new Map<Duplex, Connection>()
  #draining = false

  constructor(server: Server, tls: boolean) {
    server.on('connection', (socket: Socket) => {
      this.#accepted.add(socket)
      socket.once('close', () => this.#accepted.delete(socket))
    })
    server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#open.set(socket, {
        socket,
        answers: new Set(),
        early: null,
        used: false,
        ending: false,
      })
      socket.once('close', () => this.#open.delete(socket))
    })
  }

  get count(): number {
    return this.#accepted.size
  }

  /**
   * Counts a request in, and out again when its answer is.
   * @param isLast of its connection, whatever else comes over that
   * @returns false when the connection was told that no request is taken any more (RFC 9112 section 9.6)
   */
  begin(outgoing: ServerResponse, isLast = false): boolean {
    const connection = this.#open.get(outgoing.req.socket)
    if (!connection) return true
    if (connection.ending) return false
    connection.used = true
    connection.early = null
    connection.answers.add(outgoing)
    outgoing.on('close', () => {
      connection.answers.delete(outgoing)
      if (!outgoing.req.complete) connection.early = outgoing
      if (this.#draining && connection.answers.size === 0) connection.socket.destroySoon()
    })
    if (this.#draining || isLast) sayLast(connection)
    return true
  }

  /** Whether a refusal of what is coming in can be written without getting into an answer or before one. */
  isFree(socket: Duplex): boolean {
    const connection = this.#open.get(socket)
    if (!connection || !socket.writable) return false
    if (connection.early && !connection.early.req.complete) return false
    return [...connection.answers].every(({ headersSent, req }) => !headersSent && !req.complete)
  }

  /** From now on each connection ends with its newest answer; those that wait for none end now. */
  drain(): void {
    this.#draining = true
    for (const connection of this.#open.values()) {
      if (connection.answers.size > 0) sayLast(connection)
      else if (connection.used) connection.socket.destroy()
    }
  }

  /** Ends those that wait for no answer, in the middle of their first request's head or of their handshake. */
  endSilent(): void {
    const waiting = [...this.#open.values()].filter(({ answers }) => answers.size > 0)
    const kept = new Set(waiting.map(({ socket }) => endsOf(socket)))
    for (const socket of this.#accepted) {
      if (!kept.has(endsOf(socket))) socket.destroy()
    }
  }

  cut(): void {
    for (const socket of this.#accepted) socket.destroy()
  }
}

/** An answer whose head is out cannot say so; its connection is closed behind it all the same. */
function sayLast(connection: Connection): void {
  const newest = [...connection.answers].at(-1)
  if (!newest || newest.headersSent) return
  newest.shouldKeepAlive = false
  connection.ending = true
}

/** The same for a TLS socket and for the one beneath it. */
function endsOf({ localAddress, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${remoteAddress} ${remotePort}`
}

/** Milliseconds from now: for answers, and for those that have not asked for anything. */
export type Ending = { readonly grace: number; readonly silent: number }

/** Resolves when nobody is connected any more. @param listening all that accepts */
export async function close(
  listening: readonly NetServer[],
  connections: Connections,
  { grace, silent }: Ending,
): Promise<void> {
  const closed = Promise.all(listening.map((server) => once(server, 'close')))
  for (const server of listening) server.close()
  connections.drain()
  const timers = [
    setTimeout(() => connections.endSilent(), Math.min(silent, grace)),
    setTimeout(() => connections.cut(), grace),
  ]
  try {
    await closed
  } finally {
    for (const timer of timers) clearTimeout(timer)
  }
}

/** How often the log says that connections are turned away, in milliseconds. */
const sayEvery = 60_000

/** Those beyond are closed unheard, and told in the log. */
export function boundConnections(
  server: Server,
  open: { readonly count: number },
  connections: number,
  log: Log,
  onDrop: () => void = () => {},
): void {
  let said = Number.NEGATIVE_INFINITY
  let dropped = 0
  server.on('connection', (socket: Socket) => {
    if (open.count <= connections) return
    socket.destroy()
    onDrop()
    dropped += 1
    if (performance.now() - said < sayEvery) return
    said = performance.now()
    log.warn({ connections, dropped }, 'connections are turned away: too many are open')
    dropped = 0
  })
}
