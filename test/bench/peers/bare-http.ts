import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { freePort, Server } from './server.ts'

/**
 * What Node itself can do: a server that answers every condition with 304 and looks at nothing.
 * @returns its URL
 */
export async function startBareServer(
  core: number,
  signal: AbortSignal,
  resources: AsyncDisposableStack,
): Promise<string> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const args = [fileURLToPath(import.meta.url), String(port)]
  resources.use(await Server.start({ program: process.execPath, args, ready: url, core }, signal))
  return url
}

if (import.meta.main) {
  createServer(({ headers }, outgoing) => {
    const etag = headers['if-none-match']
    outgoing.writeHead(etag === undefined ? 200 : 304, { etag: etag ?? '""' }).end()
  }).listen(Number(process.argv[2]), '127.0.0.1')
}
