import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from './deadline.ts'
import { Random } from './random.ts'

const kinds = ['late', 'slow down', 'cut on its way', 'cut on its way back', 'answer lost'] as const
export type Fault = (typeof kinds)[number]

export type FaultyS3 = AsyncDisposable & {
  readonly endpoint: string
  /** How often each fault happened, so that a test can tell that they did. */
  readonly counts: ReadonlyMap<Fault, number>
  /** From now on the next request whose method and path fit meets this fault, once; without it, as the seed says. */
  next(fault: Fault, method: string, path: RegExp): void
}

export type FaultOptions = {
  readonly seed: number
  /** Of 100 requests so many meet a fault. */
  readonly share: number
}

const slowDown = `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`

/**
 * A bad road to an S3 server: answers that come late, 503 SlowDown, connections that break in the middle of a body either way,
 * and answers that get lost after the server has done the work.
 * @param target the server's endpoint
 */
export async function startFaultyS3(
  target: string,
  { seed, share }: FaultOptions,
): Promise<FaultyS3> {
  const random = new Random(seed)
  const counts = new Map<Fault, number>()
  const planned: { fault: Fault; method: string; path: RegExp }[] = []
  const { hostname, port } = new URL(target)
  const choose = ({ method, url = '' }: IncomingMessage): Fault | null => {
    const place = planned.findIndex((one) => one.method === method && one.path.test(url))
    if (place !== -1) return planned.splice(place, 1)[0]?.fault ?? null
    return random.below(100) < share ? random.pick(kinds) : null
  }
  const server = createServer((incoming, outgoing) => {
    const fault = choose(incoming)
    if (fault) counts.set(fault, (counts.get(fault) ?? 0) + 1)
    const road = new Road({ hostname, port }, incoming, outgoing, random.below(200_000))
    road.take(fault).catch(() => road.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    counts,
    next: (fault, method, path) => void planned.push({ fault, method, path }),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await within(10_000, 'the end of the proxy', closed)
    },
  }
}

type Target = { readonly hostname: string; readonly port: string }

/** One request on its way there and back. */
class Road {
  readonly #target: Target
  readonly #incoming: IncomingMessage
  readonly #outgoing: ServerResponse
  /** Where a body breaks, in bytes; at its end when it is shorter. */
  readonly #cut: number

  /** A request that has ended knows it no longer. */
  readonly #socket: Socket

  constructor(target: Target, incoming: IncomingMessage, outgoing: ServerResponse, cut: number) {
    this.#target = target
    this.#incoming = incoming
    this.#outgoing = outgoing
    this.#cut = cut
    this.#socket = incoming.socket
  }

  async take(fault: Fault | null): Promise<void> {
    if (fault === 'slow down') return this.#slowDown()
    if (fault === 'cut on its way') return await this.#cutOnItsWay()
    if (fault === 'late') await pause(this.#cut / 4000)
    const answer = await this.#forward()
    if (fault === 'answer lost') return await this.#lose(answer)
    this.#outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
    if (fault === 'cut on its way back') return await this.#cutOnItsWayBack(answer)
    answer.pipe(this.#outgoing)
    await once(this.#outgoing, 'close')
  }

  /** As a server that has died. */
  end(): void {
    this.#socket.destroy()
  }

  #slowDown(): void {
    this.#incoming.resume()
    this.#outgoing.writeHead(503, { 'content-type': 'application/xml', connection: 'close' })
    this.#outgoing.end(slowDown)
  }

  async #cutOnItsWay(): Promise<void> {
    let passed = 0
    for await (const chunk of this.#incoming) {
      passed += chunk.length
      if (passed >= this.#cut) break
    }
    this.#socket.resetAndDestroy()
  }

  async #cutOnItsWayBack(answer: IncomingMessage): Promise<void> {
    let passed = 0
    for await (const chunk of answer) {
      const rest = chunk.subarray(0, Math.max(0, this.#cut - passed))
      this.#outgoing.write(rest)
      passed += rest.length
      if (passed >= this.#cut) break
    }
    this.#socket.resetAndDestroy()
  }

  async #lose(answer: IncomingMessage): Promise<void> {
    answer.resume()
    await once(answer, 'close')
    this.#socket.resetAndDestroy()
  }

  async #forward(): Promise<IncomingMessage> {
    const { method = 'GET', url: path = '/', headers } = this.#incoming
    // The signature covers the host, which stays as it was.
    const out = request({ ...this.#target, method, path, headers, agent: false })
    this.#outgoing.once('close', () => out.destroy())
    this.#incoming.pipe(out)
    const [answer] = await once(out, 'response')
    return answer
  }
}
