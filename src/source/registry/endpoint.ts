import type { Socket } from 'node:net'
import { Outage, Refusal, errno } from '../../errors.ts'
import type { Reference } from '../../image/reference.ts'
import { bareHost } from '../address.ts'
import { dial, type DialOptions } from '../dial.ts'
import { leash } from '../leash.ts'
import { ProxyBreak } from '../proxy-breaks.ts'

export type EndpointOptions = {
  /** Registries that may speak plain HTTP: `host` or `host:port`, in lower case. */
  readonly insecure: readonly string[]
  /** The user has said how TLS is to be trusted, so there must be TLS. */
  readonly wantsTls: boolean
  readonly dial: DialOptions
}

/** Where a registry's requests go, found out once. */
export class Endpoint {
  /** Without TLS it may answer under the same name. */
  readonly url: URL
  readonly #host: string
  readonly #mayBePlain: boolean
  readonly #dial: DialOptions
  #base: URL | null = null

  constructor({ registry }: Reference, { insecure, wantsTls, dial }: EndpointOptions) {
    this.#host = registry === 'docker.io' ? 'registry-1.docker.io' : registry
    this.url = new URL(`https://${this.#host}`)
    this.#mayBePlain = !wantsTls && (isLoopback(this.url) || isAmong(insecure, registry, this.url))
    this.#dial = dial
  }

  /**
   * HTTPS, but where plain HTTP is allowed and the other side turns out to know no TLS. A certificate that is not trusted
   * is no reason to go without: it is refused as everywhere else.
   * @throws Refusal SOURCE_FORBIDDEN, SOURCE_REFUSED (certificate); Outage SOURCE_UNAVAILABLE
   */
  async base(signal: AbortSignal): Promise<URL> {
    this.#base ??= this.#mayBePlain && !(await this.#speaksTls(signal)) ? this.#plain() : this.url
    return this.#base
  }

  #plain(): URL {
    return new URL(`http://${this.#host}`)
  }

  get #hasPort(): boolean {
    return /:\d+$/.test(this.#host)
  }

  async #speaksTls(signal: AbortSignal): Promise<boolean> {
    const own = leash(signal)
    try {
      const socket = await this.#connect(own.signal)
      socket.on('error', () => undefined).destroy()
      return true
    } catch (error) {
      signal.throwIfAborted()
      if (isNoTls(error) || isHungUp(error) || isShutByProxy(error)) return false
      if (!this.#hasPort && isAbsent(error)) return false
      throw error
    } finally {
      own.letGo()
    }
  }

  #connect(signal: AbortSignal): Promise<Socket> {
    const { hostname, port } = this.url
    return new Promise((fulfil, reject) => {
      dial(this.#dial, signal)({ hostname, port, protocol: 'https:' }, (error, socket) =>
        socket ? fulfil(socket) : reject(error ?? new Error('no connection and no reason')),
      )
    })
  }
}

/** What OpenSSL says of an answer that is no TLS record. Other failures of a handshake come from a server that knows it. */
export function isNoTls(error: unknown): error is Outage {
  return error instanceof Outage && errno(error.cause) === 'ERR_SSL_WRONG_VERSION_NUMBER'
}

/** Some servers know no TLS and hang up on it without a word. */
function isHungUp(error: unknown): boolean {
  return error instanceof Outage && errno(error.cause) === 'ECONNRESET'
}

/** Proxies open tunnels to ports of TLS as a rule, and may hand on what is plain. */
function isShutByProxy(error: unknown): boolean {
  return error instanceof Refusal && error.cause instanceof ProxyBreak
}

const absent: ReadonlySet<string | null> = new Set([
  'ECONNREFUSED',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Without a port the two schemes are two ports. */
function isAbsent(error: unknown): boolean {
  if (!(error instanceof Outage)) return false
  return error.cause instanceof ProxyBreak || absent.has(errno(error.cause))
}

function isLoopback({ hostname }: URL): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}

/** An entry without a port is about all ports of its host. */
function isAmong(insecure: readonly string[], registry: string, { hostname }: URL): boolean {
  const host = bareHost(hostname)
  return insecure.some((entry) => {
    const text = entry.toLowerCase()
    return text === registry || bareHost(text) === host
  })
}
