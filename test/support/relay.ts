import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { within } from './deadline.ts'

export type Relay = AsyncDisposable & {
  /** `http://address:port`, which stays while the service behind it comes and goes. */
  readonly base: string
  /** Bytes that clients have sent through it, over all connections; or answers, where those are counted. */
  readonly sent: number
  /** Resolves when so many bytes have passed; not one more passes until `cut`. */
  holdAt(bytes: number): Promise<void>
  /** What is held passes. */
  release(): void
  /** Breaks every connection, and lets new ones pass. */
  cut(): void
}

/**
 * A cable to the service that can be pulled out after a given number of bytes.
 * @param target the service's present address, as `http://address:port`
 * @param of what is counted and held
 */
export async function startRelay(
  target: () => string,
  of: 'requests' | 'answers' = 'requests',
): Promise<Relay> {
  const sockets = new Set<Socket>()
  let sent = 0
  let hold = { at: Infinity, reached: () => {} }
  let resume: () => void = () => {}
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    const { hostname, port } = new URL(target())
    const service = connect(Number(port), hostname)
    keep(client)
    keep(service)
    client.once('close', () => service.destroy())
    service.once('close', () => client.destroy())
    const [counted, other] = of === 'requests' ? [client, service] : [service, client]
    other.pipe(counted, { end: false }).on('unpipe', () => counted.end())
    counted.on('data', (bytes: Buffer) => {
      const passing = bytes.subarray(0, Math.max(0, hold.at - sent))
      sent += passing.length
      if (!other.write(passing)) counted.pause()
      if (sent < hold.at) return
      counted.pause()
      // What came with the last byte that passes would be lost.
      const held = bytes.subarray(passing.length)
      resume = () => {
        sent += held.length
        if (other.write(held)) counted.resume()
      }
      hold.reached()
    })
    other.on('drain', () => sent < hold.at && counted.resume())
    counted.on('end', () => other.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the relay has no port')
  const cut = () => {
    hold = { at: Infinity, reached: () => {} }
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    base: `http://127.0.0.1:${address.port}`,
    get sent() {
      return sent
    },
    async holdAt(at) {
      const { promise, resolve } = Promise.withResolvers<void>()
      hold = { at, reached: resolve }
      await within(60_000, `${at} bytes`, promise)
    },
    release() {
      hold = { at: Infinity, reached: () => {} }
      resume()
    },
    cut,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      cut()
      await within(10_000, 'the end of the relay', closed)
    },
  }
}
