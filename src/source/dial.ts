import type { Socket } from 'node:net'
import { buildConnector } from 'undici'
import type { AddressRules } from './address-rules.ts'
import { bareHost } from './address.ts'
import { connectFailure } from './breaks.ts'
import { parseAddress } from './network.ts'
import { noProxies, proxyFor, type Proxies } from './proxies.ts'
import { permittedAddresses, systemLookup, type Lookup } from './resolve.ts'
import { asError, serverName, socketOf, type Connect, type Target } from './sockets.ts'
import { throughProxy } from './through-proxy.ts'
import type { Trust } from './trust.ts'

export type DialOptions = {
  readonly rules: AddressRules
  /** Milliseconds for the name, and again for each address. */
  readonly timeout: number
  readonly lookup?: Lookup
  readonly trust?: Trust
  readonly proxies?: Proxies
  /** Stands in for the network. */
  readonly connector?: buildConnector.connector
}

/** A name with more addresses than this is a farm; when so many do not answer, the next will not either. */
const mostAddresses = 8

/**
 * Makes connections for undici that go to judged addresses only: to the very address that passed, while the certificate
 * is still checked for the name; or by way of a proxy. Every failure is a Failure or the abort's reason, because undici tries some errors of
 * its own again without end.
 * @throws Refusal SOURCE_FORBIDDEN, SOURCE_REFUSED (certificate); Outage SOURCE_UNAVAILABLE
 */
export function dial(options: DialOptions, signal: AbortSignal): Connect {
  const { connector, timeout, trust } = options
  const connect = connector ?? buildConnector({ ...trust, allowH2: false, timeout, signal })
  return (target, callback) => {
    const proxy = proxyFor(target, options.proxies ?? noProxies)
    const work = proxy
      ? throughProxy(target, proxy, options, signal)
      : reach(target, connect, options, signal)
    void answer(work, callback)
  }
}

async function answer(work: Promise<Socket>, callback: buildConnector.Callback): Promise<void> {
  let socket: Socket
  try {
    socket = await work
  } catch (error) {
    return callback(asError(error), null)
  }
  callback(null, socket)
}

async function reach(
  target: Target,
  connect: Connect,
  { rules, lookup = systemLookup, timeout }: DialOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const host = bareHost(target.hostname)
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeout)])
  const addresses = await permittedAddresses(host, rules, lookup, limited)
  let failure: unknown
  for (const address of addresses.slice(0, mostAddresses)) {
    signal.throwIfAborted()
    try {
      return await connectTo(address, { ...target, hostname: host }, connect)
    } catch (error) {
      failure = error
    }
  }
  signal.throwIfAborted()
  throw connectFailure(failure, host, timeout)
}

async function connectTo(address: string, target: Target, connect: Connect): Promise<Socket> {
  const socket = await socketOf({ ...target, ...serverName(target), hostname: address }, connect)
  if (!socket.destroyed && isSameAddress(socket.remoteAddress, address)) return socket
  socket.on('error', () => undefined).destroy()
  throw new Error(`the connection leads to ${socket.remoteAddress} instead of ${address}`)
}

function isSameAddress(remote: string | undefined, wanted: string): boolean {
  const [a, b] = [parseAddress(remote ?? ''), parseAddress(wanted)]
  return a !== null && a.toString() === b?.toString()
}
