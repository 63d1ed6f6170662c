import { Agent, request, type IncomingMessage } from 'node:http'

/** A request as it goes over the wire. The path is sent as it is written, the headers may come twice. */
export type Asking = {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array | null
  /** Says that more comes, and then breaks off. */
  readonly isBroken: boolean
}

export type Answer = {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly bytes: Buffer
}

/** One answer is waited for so long, and a connection is broken off after so long, in milliseconds. */
const patience = 60_000
const brokenAfter = 20
/** Bytes of one answer that are looked at. */
const most = 4 * 1_048_576

/** Keeps connections, as clients do. */
export class WireClient implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })
  readonly #base: () => string

  constructor(base: () => string) {
    this.#base = base
  }

  /**
   * @returns null when the connection ended without an answer
   * @throws Error when none comes in time
   */
  async ask({ method, path, headers, body, isBroken }: Asking): Promise<Answer | null> {
    const { hostname, port } = new URL(this.#base())
    const { promise, resolve, reject } = Promise.withResolvers<Answer | null>()
    const outgoing = request({ agent: this.#agent, hostname, port, method, path })
    for (const [name, value] of headers) outgoing.appendHeader(name, value)
    if (isBroken) outgoing.setHeader('content-length', (body?.length ?? 0) + 10)
    else if (body) outgoing.setHeader('content-length', body.length)
    const late = setTimeout(() => {
      reject(new Error(`${method} ${path} is not answered within ${patience} ms`))
      outgoing.destroy()
    }, patience)
    outgoing.on('response', (incoming) => void read(incoming).then(resolve, reject))
    // An answer before the end of the body may close the connection.
    outgoing.on('error', () => resolve(null))
    if (isBroken) {
      outgoing.write(body ?? '')
      outgoing.flushHeaders()
      setTimeout(() => outgoing.destroy(), brokenAfter)
    } else outgoing.end(body)
    try {
      return await promise
    } finally {
      clearTimeout(late)
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

/** Streams of events have no end; their head is what counts. */
async function read(incoming: IncomingMessage): Promise<Answer> {
  const { statusCode = 0, headers } = incoming
  if (headers['content-type'] === 'text/event-stream') {
    incoming.destroy()
    return { status: statusCode, headers, bytes: Buffer.alloc(0) }
  }
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of incoming) {
      if (size < most && chunk instanceof Buffer) chunks.push(chunk)
      size += chunk.length
    }
  } catch (error) {
    // Broken off by us, or by a service that was sent less than it was told.
    if (!incoming.destroyed) throw error
  }
  return { status: statusCode, headers, bytes: Buffer.concat(chunks) }
}
