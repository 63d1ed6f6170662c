import { once } from 'node:events'
import { isIP, type AddressInfo } from 'node:net'
import { checkServerIdentity, connect, createServer } from 'node:tls'

export type Shown = { readonly cert: string | Buffer; readonly key: string | Buffer }

/**
 * A handshake over a real socket: a server that shows the pair, and a client that trusts `ca` and calls the server by `name`.
 * @returns the protocol they agree on
 * @throws what the client refuses the server for
 */
export async function handshake(pair: Shown, ca: string, name: string): Promise<string | null> {
  await using undo = new AsyncDisposableStack()
  const server = createServer({ ...pair, minVersion: 'TLSv1.2' }, (socket) => socket.end())
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  undo.defer(async () => {
    const closed = once(server, 'close')
    server.close()
    await closed
  })
  const { port } = server.address() as AddressInfo
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca,
    // An address is no name of SNI.
    servername: isIP(name) === 0 ? name : '',
    checkServerIdentity: (_host, cert) => checkServerIdentity(name, cert),
  })
  undo.defer(() => void socket.destroy())
  await once(socket, 'secureConnect', { signal: AbortSignal.timeout(10_000) })
  return socket.getProtocol()
}
