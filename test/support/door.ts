import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { certify } from '../unit/source/certificates.ts'
import { needs } from './programs.ts'
import type { Where } from './raw-http.ts'
import { startService, type Service, type Variables } from './service.ts'
import { temporaryFolder } from './temporary.ts'

export const needsOpenssl = () => needs('openssl', 'apt-get install openssl')

/** A service of its own, and where bytes can be sent to it as they are. */
export type Door = AsyncDisposable & { readonly service: Service; readonly where: Where }

export async function openDoor(variables: Variables = {}): Promise<Door> {
  const service = await startService(variables)
  return {
    service,
    where: { port: Number(new URL(service.base).port), isTls: false },
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  }
}

/** One that speaks TLS alone, by a certificate that nobody trusts. */
export async function openTlsDoor(variables: Variables = {}): Promise<Door> {
  await using undo = new AsyncDisposableStack()
  const { path } = undo.use(await temporaryFolder())
  const { cert, key } = await certify('IP:127.0.0.1')
  const [SLIPWAY_TLS_CERT, SLIPWAY_TLS_KEY] = [join(path, 'tls.crt'), join(path, 'tls.key')]
  await Promise.all([writeFile(SLIPWAY_TLS_CERT, cert), writeFile(SLIPWAY_TLS_KEY, key)])
  const door = undo.use(await openDoor({ SLIPWAY_TLS_CERT, SLIPWAY_TLS_KEY, ...variables }))
  const held = undo.move()
  return {
    service: door.service,
    where: { ...door.where, isTls: true },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Does it for all of them, so many at the same time. */
export async function inTurns<Thing>(
  things: readonly Thing[],
  atOnce: number,
  work: (thing: Thing) => Promise<void>,
): Promise<void> {
  const left = things.values()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const thing of left) await work(thing)
    }),
  )
}
