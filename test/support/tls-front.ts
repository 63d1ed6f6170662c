import { once } from 'node:events'
import { connect } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'

export type TlsFront = AsyncDisposable & { readonly port: number }

/**
 * TLS on loopback in front of a server that has none, as an ingress is.
 * @param target the server's present address, as `http://address:port`
 */
export async function startTlsFront(
  tls: { readonly key: string; readonly cert: string },
  target: () => string,
): Promise<TlsFront> {
  const open = new Set<TLSSocket>()
  const server = createServer({ cert: tls.cert, key: tls.key }, (socket) => {
    const { hostname, port } = new URL(target())
    const behind = connect(Number(port), hostname)
    open.add(socket)
    socket.on('error', () => behind.destroy()).once('close', () => open.delete(socket))
    behind.on('error', () => socket.destroy())
    socket.pipe(behind).pipe(socket)
  })
  // A client that does not trust the certificate breaks off.
  server.on('tlsClientError', () => {})
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it has no port')
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}
