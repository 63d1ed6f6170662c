import type { S3ClientConfig } from '@aws-sdk/client-s3'

type Strategy = Extract<S3ClientConfig['retryStrategy'], { acquireInitialRetryToken: unknown }>
type Token = Awaited<ReturnType<Strategy['acquireInitialRetryToken']>>
type Failed = Parameters<Strategy['refreshRetryTokenForRetry']>[1]

/** Some 25 seconds in all, half a minute where the server asked for fewer requests. */
const attempts = 9
const firstPause = 100
const firstPauseWhenSlowedDown = 500
const longestPause = 20_000

/** Bytes that were damaged on their way are right the next time. */
const damaged = new Set(['BadDigest', 'XAmzContentSHA256Mismatch', 'XAmzContentChecksumMismatch'])

/**
 * Tries again with growing pauses of random length. The SDK's own strategy does so, too, and gives up at the first error once
 * all requests together have failed some hundred times; then a storage that is slow for a while would break transfers of hours.
 */
export class Retries implements Strategy {
  acquireInitialRetryToken(): Promise<Token> {
    return Promise.resolve(tokenOf(0, 0))
  }

  /** @throws Error when it is not to be tried again */
  refreshRetryTokenForRetry(token: Token, { error, errorType }: Failed): Promise<Token> {
    const count = token.getRetryCount() + 1
    const passes = errorType === 'TRANSIENT' || errorType === 'THROTTLING'
    if (count >= attempts || !(passes || damaged.has(error?.name ?? ''))) {
      return Promise.reject(new Error('not to be tried again'))
    }
    const first = errorType === 'THROTTLING' ? firstPauseWhenSlowedDown : firstPause
    const most = Math.min(first * 2 ** (count - 1), longestPause)
    return Promise.resolve(tokenOf(count, Math.random() * most))
  }

  recordSuccess(): void {}
}

function tokenOf(count: number, delay: number): Token {
  return { getRetryCount: () => count, getRetryDelay: () => delay }
}
