import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'

export type Between = AsyncDisposable & { readonly host: string }

/** Stands before a service and takes the challenges of all other schemes out of its answers. */
export async function onlyChallenging(base: string, scheme: 'Basic' | 'Bearer'): Promise<Between> {
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming
    const onward = request(new URL(url ?? '/', base), { method, headers }, (answer) => {
      const challenges = challengesOf(answer).filter((text) => text.startsWith(scheme))
      outgoing.writeHead(answer.statusCode ?? 502, {
        ...answer.headers,
        ...(challenges.length > 0 && { 'www-authenticate': challenges }),
      })
      void pipeline(answer, outgoing).catch(() => outgoing.destroy())
    })
    onward.once('error', () => outgoing.destroy())
    void pipeline(incoming, onward).catch(() => outgoing.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    host: `127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

/** Whether each has a line of its own or they share one. */
function challengesOf({ headersDistinct }: IncomingMessage): readonly string[] {
  const lines = headersDistinct['www-authenticate'] ?? []
  return lines.flatMap((line) => line.split(/, *(?=(?:Basic|Bearer) )/))
}
