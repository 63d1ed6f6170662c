import type { RequestOptions } from 'node:https'
import type { KubeConfig } from '@kubernetes/client-node'
import { Agent, request, type Dispatcher } from 'undici'
import { errno, Failure, Outage, Refusal } from '../../errors.ts'

/** From a request to the end of its answer, in milliseconds: somebody waits who wants to come in. */
const patience = 5_000
/** What the API server is asked at the same time. */
const connections = 16
/** Whom a review tells of may be in some thousand groups. */
const largestAnswer = 1024 * 1024

/** The API server, as far as the service asks it: by the pod's service account, or by KUBECONFIG. */
export class ClusterAccess {
  readonly #config: KubeConfig
  readonly #server: URL
  readonly #userAgent: string
  /** One, as long as certificates stay what they are. */
  #agent: { readonly key: string; readonly dispatcher: Dispatcher } | null = null

  private constructor(config: KubeConfig, server: URL, userAgent: string) {
    this.#config = config
    this.#server = server
    this.#userAgent = userAgent
  }

  /** @throws Refusal UNSUPPORTED when it is not known where the API server is, and who we are to it */
  static async open(userAgent: string): Promise<ClusterAccess> {
    // Most services run without, and it is large.
    const { KubeConfig } = await import('@kubernetes/client-node')
    const config = new KubeConfig()
    try {
      config.loadFromDefault()
    } catch (cause) {
      throw unknownCluster(cause instanceof Error ? cause.message : 'it cannot be read', cause)
    }
    // It falls back to a server on this machine that asks nobody who they are.
    const isFound = config.getCurrentContext() !== fallback
    const server = isFound ? URL.parse(config.getCurrentCluster()?.server ?? '') : null
    if (!server) throw unknownCluster('there is none')
    return new ClusterAccess(config, server, userAgent)
  }

  /** Creates an object and answers with what it has become. @throws Outage CLUSTER_UNAVAILABLE */
  async post(path: string, body: object): Promise<unknown> {
    try {
      return await this.#send(path, JSON.stringify(body))
    } catch (cause) {
      if (cause instanceof Failure) throw cause
      const why = errno(cause) ?? (cause instanceof Error ? cause.message : 'unknown')
      throw unavailable(`it does not answer (${why})`, cause)
    }
  }

  async #send(path: string, body: string): Promise<unknown> {
    const options: RequestOptions = { headers: {} }
    await this.#config.applyToHTTPSOptions(options)
    const answer = await request(this.#server.origin + this.#prefix + path, {
      method: 'POST',
      headers: { ...headersOf(options), ...this.#own },
      body,
      dispatcher: this.#dispatcher(options),
      signal: AbortSignal.timeout(patience),
    })
    if (answer.statusCode === 201) return await answer.body.json()
    await answer.body.dump()
    throw refused(answer.statusCode)
  }

  get #prefix(): string {
    return this.#server.pathname.replace(/\/+$/, '')
  }

  get #own() {
    return { 'content-type': 'application/json', 'user-agent': this.#userAgent }
  }

  #dispatcher({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions): Dispatcher {
    const texts = [ca, cert, key, servername, rejectUnauthorized].map(String)
    const known = JSON.stringify(texts)
    if (this.#agent?.key === known) return this.#agent.dispatcher
    const tls = {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(servername !== undefined && { servername }),
      ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    }
    const connect = { ...tls, timeout: patience, allowH2: false }
    const dispatcher = new Agent({ connect, connections, maxResponseSize: largestAnswer })
    // What goes over the former one ends there, within its patience.
    this.#agent = { key: known, dispatcher }
    return dispatcher
  }
}

const fallback = 'loaded-context'

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const given = Object.entries(Array.isArray(headers) ? {} : (headers ?? {}))
  const named = given.map(([name, value]) => [name, String(value).trim()])
  const basic = auth && `Basic ${Buffer.from(auth).toString('base64')}`
  return Object.fromEntries([...named, ...(basic ? [['Authorization', basic]] : [])])
}

function refused(status: number): Outage {
  if (status === 403) {
    return unavailable(
      'this service may not ask it; bind the ClusterRole system:auth-delegator to its account',
    )
  }
  if (status === 401) return unavailable('it does not know this service; look at its credentials')
  return unavailable(`it answered with status ${status}`)
}

/** Milliseconds. */
const comeAgainIn = 10_000

function unavailable(why: string, cause?: unknown): Outage {
  return new Outage(
    'CLUSTER_UNAVAILABLE',
    `the API server of the cluster cannot be asked who this is: ${why}; try again`,
    { cause, retryAfter: comeAgainIn },
  )
}

function unknownCluster(why: string, cause?: unknown): Refusal {
  return new Refusal(
    'UNSUPPORTED',
    `SLIPWAY_AUTH is "kubernetes", but no configuration of a cluster can be used: ${why}; set KUBECONFIG, or run in a pod with a service account`,
    { cause },
  )
}
