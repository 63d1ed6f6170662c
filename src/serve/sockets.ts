import { once } from 'node:events'
import { createServer, type Server, type ServerOpts } from 'node:net'
import type { Listen } from '../env.ts'
import { errno } from '../errors.ts'

/**
 * The event loop accepts one connection of each listening socket in a turn, and a turn of a busy service takes as long as
 * all that has come in by then: with one socket, those who come now wait for minutes behind each other while those who came
 * before are served again and again. So several listen on the same port, and the kernel spreads over them who comes.
 */
const together = 32
/** Sockets share a port only where the kernel knows how (SO_REUSEPORT, socket(7)). */
const mayShare = process.platform === 'linux'
/** Of a name in the kernel (unix(7), sun_path). */
const longestName = 107

export type SocketOptions = ServerOpts & {
  /** Connections that the kernel keeps until they are accepted (listen(2)), if its own bound allows as many. */
  readonly backlog: number
}

/**
 * Lets a server listen. What comes to the other sockets is given to it, too.
 * @returns all that listens, the server among them
 * @throws Error as listen(2) does when anybody else listens there
 */
export async function listenTogether(
  server: Server,
  { host, port }: Listen,
  { backlog, ...options }: SocketOptions,
): Promise<readonly Server[]> {
  const shared = { host, backlog, reusePort: mayShare }
  await using guard = createServer((socket) => socket.destroy())
  if (mayShare && port !== 0) {
    await begin(guard, { path: guardOf({ host, port }) }).catch(unlessForbidden)
    await assertFree({ host, port })
  }
  await begin(server, { ...shared, port })
  const taken = portOf(server)
  const others = Array.from({ length: mayShare ? together - 1 : 0 }, () =>
    createServer(options, (socket) => void server.emit('connection', socket)),
  )
  for (const other of others) await begin(other, { ...shared, port: taken })
  return [server, ...others]
}

/**
 * A name that one process at a time has, and that is gone with it (unix(7), abstract sockets): two that begin in the same
 * moment would both find the port free, and share it.
 */
export function guardOf({ host, port }: Listen): string {
  return `\0slipway-${process.getuid?.()}-${port}-${host}`.slice(0, longestName)
}

/** A sandbox may allow no such sockets; nothing guards a start there. */
function unlessForbidden(error: unknown): void {
  if (!['EAFNOSUPPORT', 'EPERM', 'EACCES'].includes(errno(error) ?? '')) throw error
}

/** A socket that shares its port would share it with another process of the same user. */
async function assertFree(address: Listen): Promise<void> {
  const probe = createServer()
  await begin(probe, address)
  const closed = once(probe, 'close')
  probe.close()
  await closed
}

async function begin(server: Server, options: Parameters<Server['listen']>[0]): Promise<void> {
  server.listen(options)
  await once(server, 'listening')
}

export function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
