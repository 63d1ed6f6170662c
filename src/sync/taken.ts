import { once } from 'node:events'
import type { Server } from 'node:net'
import { hostPort, type Listen } from '../env.ts'
import { errno, Refusal } from '../errors.ts'

/**
 * Lets a server listen.
 * @param setting which names the address
 * @returns the address with the port that was really taken
 * @throws Refusal UNSUPPORTED when it cannot be taken
 */
export async function taken(server: Server, listen: Listen, setting: string): Promise<Listen> {
  const { host, port } = listen
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    const why = errno(cause) ?? 'unknown'
    const message = `cannot listen on ${hostPort(listen)} (${why}); stop what listens there, or set ${setting}`
    throw new Refusal('UNSUPPORTED', message, { cause })
  }
  const address = server.address()
  return { host, port: typeof address === 'object' && address ? address.port : 0 }
}
