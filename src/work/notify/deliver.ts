import type { Proxies } from '../../source/proxies.ts'
import { credentialsOf } from './credentials.ts'
import type { Message } from './message.ts'
import { post, whyUnsent } from './post.ts'
import { signed } from './signature.ts'
import type { Subscriber } from './subscriber.ts'
import { verdictOn, type Verdict } from './verdict.ts'

/** How subscribers are reached. */
export type Road = {
  readonly proxies: Proxies
  readonly userAgent: string
  readonly now: () => number
}

/**
 * One try.
 * @throws the reason of an abort
 */
export async function deliver(
  subscriber: Subscriber,
  { id, contentType, body }: Message & { readonly id: string },
  { proxies, userAgent, now }: Road,
  signal: AbortSignal,
): Promise<Verdict> {
  const { url, timeout } = subscriber
  try {
    const { keys, headers: further, trust } = await credentialsOf(subscriber)
    const own = { 'content-type': contentType, 'user-agent': userAgent }
    const headers = { ...further, ...own, ...signed(id, body, keys, now()) }
    const reply = await post({ url, headers, body, trust, timeout }, proxies, signal)
    return verdictOn(reply.status, reply.retryAfter)
  } catch (error) {
    signal.throwIfAborted()
    return { kind: 'failed', problem: whyUnsent(error, subscriber), retryAfter: null }
  }
}
