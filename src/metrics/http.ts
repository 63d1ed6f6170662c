import { Counter, Gauge, type Registry } from 'prom-client'
import { SeriesHistogram, type Series } from './series-histogram.ts'

/** Seconds: from a manifest out of memory to an image that takes all day. */
const buckets = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300, 1800, 7200, 36_000]

/** An answer that has ended. Bytes are those of the wire since the last time that bytes of this route were told. */
export type Answered = {
  readonly route: string
  readonly method: string
  readonly status: number
  readonly seconds: number
}

/** What is looked at when somebody asks. */
export type Wires = {
  readonly connections: number
  /** Routes of the requests that are being worked on, one for each. */
  readonly inFlight: readonly string[]
}

type Method = { readonly seconds: Series; readonly statuses: Map<number, number> }
type Route = { received: number; sent: number; readonly methods: Map<string, Method> }

/** Requests, by route. Counting one takes less than a microsecond: sums are added up here, and told when they are asked for. */
export class HttpMetrics {
  readonly #routes = new Map<string, Route>()
  readonly #seconds: SeriesHistogram
  readonly #dropped: Counter
  #wires: () => Wires = () => ({ connections: 0, inFlight: [] })

  constructor(registry: Registry) {
    const registers = [registry]
    this.#seconds = new SeriesHistogram({
      name: 'slipway_http_request_seconds',
      help: 'Time from the head of a request to the end of its answer, by route',
      labelNames: ['route', 'method'],
      buckets,
      registers,
    })
    this.#dropped = new Counter({
      name: 'slipway_http_dropped_connections_total',
      help: 'Connections that were closed unheard, because too many were open',
      registers,
    })
    this.#addCounters(registers)
    this.#addGauges(registers)
  }

  /** Bytes have moved, of a request that may still go on. */
  moved(route: string, received: number, sent: number): void {
    const tally = this.#of(route)
    tally.received += received
    tally.sent += sent
  }

  ended({ route, method, status, seconds }: Answered): void {
    const { methods } = this.#of(route)
    const tally = methods.get(method) ?? this.#method(route, method)
    tally.seconds.observe(seconds)
    tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1)
  }

  dropped(): void {
    this.#dropped.inc()
  }

  /** Before it answers, `look` may tell of bytes that have moved. */
  levelsFrom(look: () => Wires): void {
    this.#wires = look
  }

  #of(route: string): Route {
    const known = this.#routes.get(route)
    if (known) return known
    const made = { received: 0, sent: 0, methods: new Map<string, Method>() }
    this.#routes.set(route, made)
    return made
  }

  #method(route: string, method: string): Method {
    const made = { seconds: this.#seconds.add({ route, method }), statuses: new Map() }
    this.#of(route).methods.set(method, made)
    return made
  }

  #addCounters(registers: Registry[]): void {
    const routes = this.#routes
    const look = () => this.#wires()
    void new Counter({
      name: 'slipway_http_requests_total',
      help: 'Answered requests; status 499 where the connection ended before the answer',
      labelNames: ['route', 'method', 'status'],
      registers,
      collect() {
        this.reset()
        for (const [route, { methods }] of routes) {
          for (const [method, { statuses }] of methods) {
            for (const [status, count] of statuses) this.inc({ route, method, status }, count)
          }
        }
      },
    })
    void new Counter({
      name: 'slipway_http_received_bytes_total',
      help: 'Bytes of requests that came, by route',
      labelNames: ['route'],
      registers,
      collect() {
        look()
        this.reset()
        for (const [route, { received }] of routes) this.inc({ route }, received)
      },
    })
    void new Counter({
      name: 'slipway_http_sent_bytes_total',
      help: 'Bytes of answers that went out, by route',
      labelNames: ['route'],
      registers,
      collect() {
        this.reset()
        for (const [route, { sent }] of routes) this.inc({ route }, sent)
      },
    })
  }

  #addGauges(registers: Registry[]): void {
    const look = () => this.#wires()
    void new Gauge({
      name: 'slipway_http_connections',
      help: 'Open connections',
      registers,
      collect() {
        this.set(look().connections)
      },
    })
    void new Gauge({
      name: 'slipway_http_requests_in_flight',
      help: 'Requests that are being worked on, by route: uploads, pushes and pulls among them',
      labelNames: ['route'],
      registers,
      collect() {
        this.reset()
        for (const route of look().inFlight) this.inc({ route })
      },
    })
  }
}
