import { readFile } from 'node:fs/promises'
import { Agent, request } from 'undici'
import type { Cluster } from './cluster.ts'

/** One answer is waited for so long, in milliseconds. */
const patience = 30_000

export type Asked = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly body?: object
  readonly type?: string
}

export type Answered = { readonly status: number; readonly body: unknown }

/** The API server as the test itself asks it, cheaper than by kubectl; everything is allowed. */
export class Api implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #agent: Agent
  readonly token: string

  private constructor(cluster: Cluster, agent: Agent, token: string) {
    this.#cluster = cluster
    this.#agent = agent
    this.token = token
  }

  static async open(cluster: Cluster): Promise<Api> {
    const name = 'test-admin'
    await cluster.kubectl('create', 'serviceaccount', name, '-n', 'default')
    const account = `--serviceaccount=default:${name}`
    await cluster.kubectl(
      'create',
      'clusterrolebinding',
      name,
      '--clusterrole=cluster-admin',
      account,
    )
    const token = await cluster.serviceAccountToken('default', name)
    const ca = await readFile(cluster.ca, 'utf8')
    return new Api(cluster, new Agent({ connect: { ca }, bodyTimeout: 0 }), token)
  }

  async ask(path: string, asked: Asked = {}): Promise<Answered> {
    const { statusCode, body } = await this.#send(path, asked, AbortSignal.timeout(patience))
    return { status: statusCode, body: await body.json() }
  }

  /** @throws Error when the answer is no success */
  async done(path: string, asked: Asked = {}): Promise<unknown> {
    const { status, body } = await this.ask(path, asked)
    if (status < 300) return body
    throw new Error(`${asked.method ?? 'GET'} ${path}: ${status} ${JSON.stringify(body)}`)
  }

  /** The lines of a watch, until the server or the signal ends it. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const { statusCode, body } = await this.#send(path, {}, signal)
    if (statusCode !== 200) throw new Error(`${path}: ${statusCode} ${await body.text()}`)
    let rest = ''
    const decoder = new TextDecoder()
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy()
  }

  async #send(path: string, { method = 'GET', body, type }: Asked, signal: AbortSignal) {
    const content = type ?? 'application/json'
    return await request(this.#cluster.server + path, {
      method,
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': content },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
    })
  }
}
