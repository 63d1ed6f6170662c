import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { within } from './deadline.ts'

export type Overheard = {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly range: string | undefined
  /** The word that an `Authorization` header begins with. */
  readonly scheme: string | undefined
  readonly status: number
  /** Bytes of the request's body. */
  readonly sent: number
  /** Bytes of the answer's body that have come so far. */
  readonly given: number
}

export type Tap = AsyncDisposable & {
  readonly base: string
  /** What was answered so far, in the order of the answers. */
  readonly overheard: readonly Overheard[]
}

export type TapOptions = {
  /** The address of loopback that it listens on; 127.0.0.1 unless said otherwise. */
  readonly host?: string
  /** Of several ways to show credentials that the service offers, the client hears of this one alone. */
  readonly scheme?: string
  /** Told of each piece of an answer before it is passed on, which waits for it. */
  readonly onGiven?: (seen: Overheard) => void | Promise<void>
}

/** A way to the service that passes everything on, and keeps what was asked for. */
export async function startTap(target: string, options: TapOptions = {}): Promise<Tap> {
  const { host = '127.0.0.1', scheme = '', onGiven = () => {} } = options
  const overheard: Overheard[] = []
  const hear = (seen: Overheard) => void overheard.push(seen)
  const server = createServer((incoming, outgoing) => {
    passOn({ target, scheme, hear, onGiven }, incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the tap has no port')
  return {
    base: `http://${host}:${address.port}`,
    overheard,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await within(10_000, 'the end of the tap', closed)
    },
  }
}

type Passage = {
  readonly target: string
  readonly scheme: string
  readonly hear: (seen: Overheard) => void
  readonly onGiven: (seen: Overheard) => void | Promise<void>
}

async function passOn(
  { target, scheme: offered, hear, onGiven }: Passage,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { method = '', url: path = '', headers } = incoming
  const upstream = request(new URL(path, target), { method, headers, agent: false })
  let sent = 0
  incoming.on('data', (bytes: Buffer) => {
    sent += bytes.length
  })
  outgoing.once('close', () => upstream.destroy())
  // An answer may come before the whole body has been taken.
  const sending = pipeline(incoming, upstream).catch(() => undefined)
  const [answer]: readonly IncomingMessage[] = await once(upstream, 'response')
  if (!answer) return
  const { statusCode: status = 0, rawHeaders } = answer
  const scheme = headers.authorization?.split(' ')[0]
  const seen = { method, path, range: headers.range, scheme, status, sent, given: 0 }
  hear(seen)
  const counted = async function* (pieces: AsyncIterable<Buffer>) {
    for await (const bytes of pieces) {
      seen.given += bytes.length
      await onGiven(seen)
      yield bytes
    }
  }
  outgoing.writeHead(status, [...offering(offered, rawHeaders)])
  await pipeline(answer, counted, outgoing)
  await sending
}

/** Names and values in turn, without the challenges of another scheme. */
function* offering(scheme: string, rawHeaders: readonly string[]): Generator<string> {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    if (name.toLowerCase() !== 'www-authenticate' || value.startsWith(scheme)) yield* [name, value]
  }
}
