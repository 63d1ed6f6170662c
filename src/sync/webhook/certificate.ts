import type { KeyPair } from '../../tls/pair.ts'

/** Where the webhook's certificate and key come from: files that somebody mounts, or the companion itself. */
export interface Certificate {
  /** Why there is none, or no newer one; null when all is well. */
  readonly trouble: string | null
  /**
   * Hands out a pair as soon as there is one that the API server trusts, and each one that takes its place, until the signal.
   * Never rejects because the API server or a file is out of order: that is logged, and tried again.
   */
  run(use: (pair: KeyPair) => void, signal: AbortSignal): Promise<void>
}
