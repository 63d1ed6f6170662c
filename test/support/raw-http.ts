import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { within } from './deadline.ts'

/** Until a connection stands, and from the client's end to the server's, in milliseconds, on a busy machine. */
const patience = 20_000

/** Where a listener is; one that speaks TLS is not asked for its name. */
export type Where = {
  readonly port: number
  readonly isTls: boolean
  /** The address of the client; 127.0.0.1 unless said otherwise. */
  readonly from?: string
}

export type Answered = { readonly status: number; readonly head: string; readonly body: Buffer }

/** What came of bytes that were sent. */
export type Exchange = {
  readonly answers: readonly Answered[]
  /** What came behind the last answer and is none. */
  readonly rest: Buffer
}

export type ExchangeOptions = {
  /** Milliseconds after which the client ends its side of the connection; as a rule it leaves that to the server. */
  readonly open?: number
  /** The methods of the requests, in order: an answer to HEAD has no body. */
  readonly methods?: readonly string[]
}

/** A connection over which nothing was sent yet. */
export async function opened({ port, isTls, from = '127.0.0.1' }: Where): Promise<Socket> {
  const at = { port, host: '127.0.0.1', localAddress: from }
  const socket = isTls
    ? connectTls({ ...at, rejectUnauthorized: false })
    : connect({ ...at, noDelay: true })
  await within(patience, 'the connection', once(socket, isTls ? 'secureConnect' : 'connect'))
  return socket
}

/**
 * Sends pieces over a connection of their own, each in a packet of its own as a rule, and hears what comes until the server
 * ends it; one that breaks the connection has ended it, too.
 * @throws Error when the server does not, by itself or some time after the client's end
 */
export async function exchange(
  where: Where,
  pieces: readonly Uint8Array[],
  { open, methods = [] }: ExchangeOptions = {},
): Promise<Exchange> {
  const socket = await opened(where)
  const heard: Buffer[] = []
  // A reset is an end like another one.
  const closed = new Promise((close) => socket.on('error', () => {}).once('close', close))
  socket.on('data', (chunk: Buffer) => void heard.push(chunk))
  try {
    for (const piece of pieces) {
      socket.write(piece)
      await nextTurn()
    }
    if (open !== undefined) {
      await Promise.race([closed, pause(open)])
      socket.end()
    }
    await within(patience, 'the end of the connection', closed)
  } finally {
    socket.destroy()
  }
  return answersIn(Buffer.concat(heard), methods)
}

/** Takes apart what a server has sent; answers of 1xx are left out. */
export function answersIn(heard: Buffer, methods: readonly string[] = []): Exchange {
  const answers: Answered[] = []
  let rest = heard
  for (;;) {
    const end = rest.indexOf('\r\n\r\n')
    const head = rest.subarray(0, Math.max(0, end)).toString('latin1')
    const [, digits] = /^HTTP\/1\.1 (\d{3}) /.exec(head) ?? []
    if (end === -1 || digits === undefined) return { answers, rest }
    const status = Number(digits)
    const isBare = status < 200 || status === 204 || status === 304
    const isHead = methods[answers.length] === 'HEAD'
    const { body, size } = bodyIn(rest.subarray(end + 4), isBare || isHead ? '' : head)
    rest = rest.subarray(end + 4 + size)
    if (status >= 200) answers.push({ status, head, body })
  }
}

/** `size` is that of the body on the wire. */
function bodyIn(bytes: Buffer, head: string): { readonly body: Buffer; readonly size: number } {
  // What has no length goes on to the end of the connection (RFC 9112 section 6.3).
  const endless = head === '' ? 0 : bytes.length
  const [, length = endless] = /^content-length: (\d+)$/im.exec(head) ?? []
  if (!/^transfer-encoding: chunked$/im.test(head)) {
    const size = Math.min(Number(length), bytes.length)
    return { body: bytes.subarray(0, size), size }
  }
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const line = bytes.indexOf('\r\n', at)
    if (line === -1) return { body: Buffer.concat(chunks), size: bytes.length }
    const size = Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16)
    chunks.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
    if (size === 0) return { body: Buffer.concat(chunks), size: at }
  }
}
