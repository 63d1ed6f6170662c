import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { temporaryFolder } from './temporary.ts'

export type Asked = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type Answer = (asked: Asked, response: ServerResponse) => void

/** A real server that answers as an API server may, in whatever way the test says. */
export type ApiPlay = AsyncDisposable & {
  /** Path of a kubeconfig for it. */
  readonly kubeconfig: string
  readonly tokenFile: string
  readonly asked: Asked[]
  /** Connections that ever came. */
  readonly connections: () => number
  /** Cuts all of them. */
  readonly cut: () => void
}

/** @param answer also what was asked in the order of the answers */
export async function playApi(answer: Answer): Promise<ApiPlay> {
  await using undo = new AsyncDisposableStack()
  const folder = undo.use(await temporaryFolder())
  const asked: Asked[] = []
  let connections = 0
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request)
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api')
    const { method = '', headers } = request
    const one = { method, path: pathname, query: searchParams, headers, body }
    asked.push(one)
    answer(one, response)
  }
  const server = createServer((request, response) => void take(request, response))
  server.on('connection', () => (connections += 1))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  undo.defer(async () => {
    server.close()
    server.closeAllConnections()
  })
  const tokenFile = join(folder.path, 'token')
  const kubeconfig = join(folder.path, 'kubeconfig')
  await writeFile(tokenFile, 'first')
  const { port } = server.address() as AddressInfo
  await writeFile(kubeconfig, configOf(`http://127.0.0.1:${port}/prefix`, tokenFile))
  const held = undo.move()
  return {
    kubeconfig,
    tokenFile,
    asked,
    connections: () => connections,
    cut: () => server.closeAllConnections(),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Plain HTTP is only spoken where the name of the server would not be looked at either. */
function configOf(server: string, tokenFile: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'play',
    clusters: [{ name: 'play', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [
      { name: 'me', user: { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } } },
    ],
    contexts: [{ name: 'play', context: { cluster: 'play', user: 'me', namespace: 'home' } }],
  })
}

export function json(response: ServerResponse, value: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** An answer that says no. */
export function refuse(response: ServerResponse, code: number, reason: string, message: string) {
  json(response, { kind: 'Status', status: 'Failure', reason, message, code }, code)
}
