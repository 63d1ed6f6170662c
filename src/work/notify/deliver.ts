import { asFailure } from '../../errors.ts'
import type { Proxies } from '../../source/proxies.ts'
import { credentialsOf } from './credentials.ts'
import type { Message } from './message.ts'
import { post, whyUnsent, type Letter } from './post.ts'
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
  message: Message & { readonly id: string },
  road: Road,
  signal: AbortSignal,
): Promise<Verdict> {
  let letter: Letter
  try {
    letter = await letterOf(subscriber, message, road)
  } catch (error) {
    return failed(asFailure(error).message)
  }
  try {
    const { status, retryAfter } = await post(letter, road.proxies, signal)
    return verdictOn(status, retryAfter)
  } catch (error) {
    signal.throwIfAborted()
    return failed(whyUnsent(error, letter))
  }
}

function failed(problem: string): Verdict {
  return { kind: 'failed', problem, retryAfter: null }
}

async function letterOf(
  subscriber: Subscriber,
  { id, contentType, body }: Message & { readonly id: string },
  { userAgent, now }: Road,
): Promise<Letter> {
  const { url, timeout } = subscriber
  const { keys, headers, trust } = await credentialsOf(subscriber)
  const own = { 'content-type': contentType, 'user-agent': userAgent }
  return {
    url,
    headers: { ...headers, ...own, ...signed(id, body, keys, now()) },
    body,
    trust,
    timeout,
  }
}
