import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpMetrics } from '../metrics/http.ts'
import type { Call } from './context.ts'
import { isEndless, methodOf, routeOf, unreadable } from './route.ts'

/** A request that is being worked on. */
export type Visit = {
  readonly incoming: IncomingMessage
  readonly route: string
  /** Milliseconds of a clock that only goes forward. */
  readonly begun: number
  /** Bytes of the wire so far, heads among them. */
  received: number
  sent: number
  /** Whom the connection is from; null when that is gone. */
  readonly peer: string | null
  /** Null as long as the routes have not seen it. */
  call: Call | null
  /** Of one that is over; 499 where the connection ended before the answer. */
  status: number
  milliseconds: number
}

type Wire = {
  received: number
  sent: number
  readonly peer: string | null
  readonly visits: Map<ServerResponse, Visit>
}

/** The client went away before the end, as nginx has it. */
const wentAway = 499

/** Everything that comes over the wire and goes out, also what no route ever sees. */
export class Traffic {
  readonly #metrics: HttpMetrics
  readonly #told: (left: Visit) => void
  readonly #wires = new Map<Socket, Wire>()

  /** @param told of each visit that is over */
  constructor(metrics: HttpMetrics, told: (left: Visit) => void) {
    this.#metrics = metrics
    this.#told = told
  }

  /** @param connections how many are open */
  follow(connections: () => number): void {
    this.#metrics.levelsFrom(() => {
      for (const [socket, wire] of this.#wires) this.#measure(socket, wire)
      return { connections: connections(), inFlight: [...this.#routes()] }
    })
  }

  begin(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { socket } = incoming
    const wire = this.#wires.get(socket) ?? this.#open(socket)
    const route = routeOf(incoming.url ?? '')
    const begun = performance.now()
    const { peer } = wire
    wire.visits.set(outgoing, {
      incoming,
      route,
      begun,
      peer,
      received: 0,
      sent: 0,
      call: null,
      status: 0,
      milliseconds: 0,
    })
    outgoing.on('close', () => this.#end(socket, wire, outgoing))
  }

  of(outgoing: ServerResponse): Visit | null {
    return this.#wires.get(outgoing.req.socket)?.visits.get(outgoing) ?? null
  }

  /** What was no request, and was answered so. */
  refused(status: number): void {
    this.#metrics.ended({ route: unreadable, method: methodOf(undefined), status, seconds: 0 })
  }

  dropped(): void {
    this.#metrics.dropped()
  }

  *#routes(): Generator<string> {
    for (const { visits } of this.#wires.values()) {
      for (const { route } of visits.values()) yield route
    }
  }

  #open(socket: Socket): Wire {
    const peer = socket.remoteAddress ?? null
    const wire: Wire = { received: 0, sent: 0, peer, visits: new Map() }
    this.#wires.set(socket, wire)
    // An answer whose turn never came is told of nothing.
    socket.once('close', () => {
      for (const outgoing of wire.visits.keys()) this.#end(socket, wire, outgoing)
      this.#wires.delete(socket)
    })
    return wire
  }

  #end(socket: Socket, wire: Wire, outgoing: ServerResponse): void {
    const visit = wire.visits.get(outgoing)
    if (!visit) return
    this.#measure(socket, wire)
    wire.visits.delete(outgoing)
    visit.milliseconds = performance.now() - visit.begun
    visit.status = statusOf(visit, outgoing)
    const { route, status, milliseconds } = visit
    const method = methodOf(visit.incoming.method)
    this.#metrics.ended({ route, method, status, seconds: milliseconds / 1000 })
    this.#told(visit)
  }

  /** What came and went since the last time belongs to the request that has been there for longest. */
  #measure(socket: Socket, wire: Wire): void {
    const [visit] = wire.visits.values()
    if (!visit) return
    const received = socket.bytesRead - wire.received
    const sent = socket.bytesWritten - wire.sent
    wire.received += received
    wire.sent += sent
    visit.received += received
    visit.sent += sent
    this.#metrics.moved(visit.route, received, sent)
  }
}

function statusOf({ route }: Visit, { writableFinished, headersSent, statusCode }: ServerResponse) {
  const isOver = writableFinished || (headersSent && isEndless(route))
  return isOver ? statusCode : wentAway
}
