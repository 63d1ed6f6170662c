import { once } from 'node:events'
import {
  createServer,
  request as requestHttp,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../deadline.ts'

const sides = ['cluster', 'service'] as const
export type Side = (typeof sides)[number]

/** One request of the companion. */
export type Crossed = {
  readonly side: Side
  readonly method: string
  /** With the query. */
  readonly path: string
  /** What the companion was answered; null as long as it was not. */
  status: number | null
}

/** Where a side is at the moment. */
export type Target = {
  readonly base: string
  /** What an HTTPS server is trusted by. */
  readonly ca?: string | Buffer
}

/** An answer that the companion gets in place of the other side's. */
export type Answer = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

/** What happens to a request: null lets it pass, a number lets it pass after so many milliseconds. */
export type Fate = null | number | Answer | 'cut'
export type Rule = (request: Crossed, nth: number) => Fate

/** Before a request is passed on, or after the other side has answered and before the companion hears of it. */
export const moments = ['before', 'after'] as const
export type Moment = (typeof moments)[number]

type Plan = {
  readonly nth: number
  readonly moment: Moment
  readonly kill: () => Promise<void>
  readonly done: PromiseWithResolvers<Crossed>
}

/**
 * Two plain HTTP servers on loopback between the companion and its two sides, the API server and the service. They count its
 * requests together and pass them on unbuffered, watches and streams of events too.
 */
export class Crossing implements AsyncDisposable {
  /** In the order in which they came. */
  readonly requests: Crossed[] = []
  rule: Rule = () => null
  readonly #targets: Readonly<Record<Side, () => Target>>
  readonly #doors: Readonly<Record<Side, Door>>
  #plan: Plan | null = null
  #from = 0
  #isClosed = false

  private constructor(targets: Readonly<Record<Side, () => Target>>, doors: Record<Side, Door>) {
    this.#targets = targets
    this.#doors = doors
    for (const side of sides) doors[side].answer = (from, to) => this.#cross(side, from, to)
  }

  static async open(targets: Readonly<Record<Side, () => Target>>): Promise<Crossing> {
    return new Crossing(targets, { cluster: await Door.open(), service: await Door.open() })
  }

  /** `http://address:port` of a side, as the companion is told. */
  base(side: Side): string {
    return this.#doors[side].base
  }

  /** Breaks every connection of a side. */
  cut(side: Side): void {
    this.#doors[side].cut()
  }

  /**
   * Kills at the nth request from now on. Nothing passes from then on until `open`; what passed before it goes on.
   * @param kill resolves when the process is gone
   * @returns the request that it was
   */
  killAt(nth: number, moment: Moment, kill: () => Promise<void>): Promise<Crossed> {
    this.#from = this.requests.length
    const done = Promise.withResolvers<Crossed>()
    this.#plan = { nth, moment, kill, done }
    return done.promise
  }

  /** Lets pass again after a kill. */
  open(): void {
    this.#isClosed = false
  }

  /** Takes a kill back. @returns false when it has happened, or is happening */
  spare(): boolean {
    const isSpared = this.#plan !== null
    this.#plan = null
    return isSpared
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(sides.map((side) => this.#doors[side][Symbol.asyncDispose]()))
  }

  async #cross(side: Side, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (this.#isClosed) return outgoing.destroy() && undefined
    const { method = 'GET', url: path = '/' } = incoming
    const crossed: Crossed = { side, method, path, status: null }
    const nth = this.requests.push(crossed)
    const plan = this.#due(nth)
    if (plan?.moment === 'before') return await this.#kill(plan, crossed)
    const fate = this.rule(crossed, nth)
    if (fate === 'cut') return outgoing.destroy() && undefined
    if (typeof fate === 'number') await pause(fate)
    else if (fate) return await answerWith(fate, crossed, incoming, outgoing)
    const passing = passOn(this.#targets[side](), incoming, outgoing)
    if (plan) return await this.#killAfter(passing, plan, crossed)
    await giveBack(await passing, crossed, outgoing)
  }

  /** From its request on a kill can be taken back no more. */
  #due(nth: number): Plan | null {
    if (this.#plan?.nth !== nth - this.#from) return null
    const plan = this.#plan
    this.#plan = null
    return plan
  }

  async #killAfter(passing: Promise<IncomingMessage>, plan: Plan, crossed: Crossed): Promise<void> {
    passing.catch(plan.done.reject)
    const answer = await passing
    if (!isStream(crossed, answer)) await buffer(answer)
    answer.destroy()
    await this.#kill(plan, crossed)
  }

  async #kill({ kill, done }: Plan, crossed: Crossed): Promise<void> {
    this.#isClosed = true
    await kill().then(() => done.resolve(crossed), done.reject)
    for (const side of sides) this.cut(side)
  }
}

/** A server whose connections can be broken. */
class Door implements AsyncDisposable {
  answer: (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void> = async () => {}
  readonly base: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, base: string) {
    this.#server = server
    this.base = base
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
      // What breaks on one side breaks on the other.
      this.answer(incoming, outgoing).catch(() => outgoing.destroy())
    })
  }

  static async open(): Promise<Door> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the door has no port')
    return new Door(server, `http://127.0.0.1:${address.port}`)
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await within(10_000, 'the end of the crossing', closed)
  }
}

async function answerWith(
  { status, headers = {}, body }: Answer,
  crossed: Crossed,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  await buffer(incoming)
  crossed.status = status
  outgoing.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
}

async function giveBack(
  answer: IncomingMessage,
  crossed: Crossed,
  outgoing: ServerResponse,
): Promise<void> {
  crossed.status = answer.statusCode ?? 0
  outgoing.writeHead(crossed.status, answer.headers)
  outgoing.flushHeaders()
  await pipeline(answer, outgoing)
}

/** The head of the other side's answer, its body still to come. */
async function passOn(
  { base, ca }: Target,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<IncomingMessage> {
  const { method = 'GET', url: path = '/', headers } = incoming
  const url = new URL(path, base)
  const options = { method, headers: { ...headers, host: url.host }, agent: false as const }
  const out =
    url.protocol === 'https:'
      ? requestHttps(url, { ...options, ...(ca !== undefined && { ca }) })
      : requestHttp(url, options)
  outgoing.once('close', () => out.destroy())
  incoming.pipe(out)
  const [answer]: IncomingMessage[] = await once(out, 'response')
  if (!answer) throw new Error(`${method} ${path} was not answered`)
  return answer
}

/** Whose end nobody waits for: watches, and streams of events. */
function isStream({ path }: Crossed, { headers }: IncomingMessage): boolean {
  return /[?&]watch=(?:1|true)/.test(path) || headers['content-type'] === 'text/event-stream'
}
