import { existsSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { Agent, ProxyAgent, type Dispatcher } from 'undici'
import { Refusal } from '../errors.ts'

const tokenOfPod = '/var/run/secrets/kubernetes.io/serviceaccount/token'
const connectWithin = 10_000
/** The workers', the leader's and a few watches; more would wait. */
const connections = 32

/** How the API server is spoken to at present. */
export type Way = {
  readonly origin: string
  /** What all paths begin with, empty as a rule. */
  readonly prefix: string
  readonly headers: { readonly [name: string]: string }
  readonly dispatcher: Dispatcher
}

/**
 * The address of the API server, whom it is to be, and who we are: from the files of KUBECONFIG, from the pod's service
 * account, or from ~/.kube/config. Files are read again when their time has come, so tokens and certificates may change.
 */
export class Access {
  readonly #paths: readonly string[] | null
  #config: KubeConfig
  #agent: { readonly key: string; readonly dispatcher: Dispatcher } | null = null
  /** Those that still serve what began before a certificate changed. */
  readonly #former = new Set<Dispatcher>()

  /** @throws Refusal UNSUPPORTED when there is nothing to go by, or it cannot be read */
  constructor(paths: readonly string[] | null) {
    this.#paths = paths
    this.#config = load(paths)
  }

  /** The namespace that the configuration names, the pod's own in a cluster. */
  get namespace(): string | null {
    const { currentContext } = this.#config
    return this.#config.getContextObject(currentContext)?.namespace ?? null
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? ''
  }

  /** @throws whatever reading files and running programs that give credentials fails with */
  async way(): Promise<Way> {
    const options: RequestOptions = {}
    await this.#config.applyToHTTPSOptions(options)
    const { origin, pathname } = new URL(this.server)
    const prefix = pathname.replace(/\/+$/, '')
    return { origin, prefix, headers: headersOf(options), dispatcher: this.#dispatcher(options) }
  }

  /** Reads everything anew, because the API server does not know us any more. */
  reload(): void {
    this.#config = load(this.#paths)
  }

  /** Cuts what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#former, ...(this.#agent ? [this.#agent.dispatcher] : [])]
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()))
  }

  /** One agent, as long as certificates stay what they are. */
  #dispatcher(options: RequestOptions): Dispatcher {
    const key = keyOf(options, this.server)
    if (this.#agent?.key === key) return this.#agent.dispatcher
    if (this.#agent) this.#retire(this.#agent.dispatcher)
    const dispatcher = open(this.#config, options)
    this.#agent = { key, dispatcher }
    return dispatcher
  }

  #retire(dispatcher: Dispatcher): void {
    const forget = () => void this.#former.delete(dispatcher)
    this.#former.add(dispatcher)
    // It fails only when it was destroyed meanwhile, with everything else.
    dispatcher.close().then(forget, forget)
  }
}

function load(paths: readonly string[] | null): KubeConfig {
  const config = new KubeConfig()
  try {
    if (paths) loadFiles(config, paths)
    else if (existsSync(tokenOfPod)) config.loadFromCluster()
    else config.loadFromFile(join(homedir(), '.kube', 'config'))
  } catch (cause) {
    throw refused(cause instanceof Error ? cause.message : 'it cannot be read', cause)
  }
  if (URL.canParse(config.getCurrentCluster()?.server ?? '')) return config
  throw refused('its current context names no cluster with a server')
}

/** Of several, those that are not there are passed over, as kubectl does. */
function loadFiles(config: KubeConfig, paths: readonly string[]): void {
  const there = paths.filter((path) => existsSync(path))
  const [first = '', ...others] = there.length > 0 ? there : paths
  config.loadFromFile(first)
  for (const path of others) {
    const more = new KubeConfig()
    more.loadFromFile(path)
    config.mergeConfig(more, true)
  }
}

function refused(why: string, cause?: unknown): Refusal {
  const message = `the configuration for the API server is no good: ${why}; set KUBECONFIG, or run in a pod with a service account`
  return new Refusal('UNSUPPORTED', message, cause === undefined ? {} : { cause })
}

function headersOf({ headers, auth }: RequestOptions): Record<string, string> {
  const named = Object.entries(headers ?? {}).map(([name, value]) => [
    name.toLowerCase(),
    String(value).trim(),
  ])
  const basic = auth && `Basic ${Buffer.from(auth).toString('base64')}`
  return Object.fromEntries(basic ? [['authorization', basic], ...named] : named)
}

function keyOf({ ca, cert, key, servername, rejectUnauthorized }: RequestOptions, server: string) {
  const texts = [ca, cert, key, servername, rejectUnauthorized].map(String)
  return JSON.stringify([server, ...texts])
}

/** Only HTTP/1.1: over a single connection of HTTP/2 everything would wait for a full watch. */
function open(
  config: KubeConfig,
  { ca, cert, key, rejectUnauthorized, servername }: RequestOptions,
) {
  const tls = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    ...(servername !== undefined && { servername }),
  }
  const proxy = config.getCurrentCluster()?.proxyUrl
  const common = { connections, allowH2: false }
  if (proxy) return new ProxyAgent({ ...common, uri: proxy, requestTls: tls })
  return new Agent({ ...common, connect: { ...tls, timeout: connectWithin } })
}
