import { isIP, type Socket } from 'node:net'
import type { buildConnector } from 'undici'

export type Connect = buildConnector.connector
export type Target = buildConnector.Options

export function socketOf(target: Target, connect: Connect): Promise<Socket> {
  return new Promise((fulfil, reject) => {
    connect(target, (error, socket) => (socket ? fulfil(socket) : reject(asError(error))))
  })
}

/** The name that SNI and the certificate are about; a literal address has none (RFC 6066 section 3). */
export function serverName({ protocol, hostname }: Pick<Target, 'protocol' | 'hostname'>): {
  readonly servername?: string
} {
  if (protocol !== 'https:' || isIP(hostname)) return {}
  return { servername: hostname.replace(/\.$/, '') }
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('given up', { cause: error })
}
