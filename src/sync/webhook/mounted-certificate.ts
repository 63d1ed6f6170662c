import { once } from 'node:events'
import { join } from 'node:path'
import type { Log } from '../../log.ts'
import type { KeyPair } from '../../tls/pair.ts'
import { Renewal } from '../../tls/renewal.ts'
import type { Certificate } from './certificate.ts'

export type MountedOptions = {
  readonly log: Log
  /** How often the files are looked at, in milliseconds. */
  readonly every?: number
}

/** A folder with `tls.crt` and `tls.key`, as a Secret is mounted. That the API server trusts it is seen to elsewhere. */
export class MountedCertificate implements Certificate {
  readonly trouble = null
  readonly #renewal: Renewal

  private constructor(renewal: Renewal) {
    this.#renewal = renewal
  }

  /** @throws Refusal UNSUPPORTED when the files cannot be used */
  static async open(folder: string, options: MountedOptions): Promise<MountedCertificate> {
    const files = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') }
    const named = 'the files of SLIPWAY_WEBHOOK_CERT'
    return new MountedCertificate(await Renewal.open(files, { ...options, named }))
  }

  async run(use: (pair: KeyPair) => void, signal: AbortSignal): Promise<void> {
    using renewal = this.#renewal
    use(renewal.pair)
    renewal.follow(use)
    if (!signal.aborted) await once(signal, 'abort')
  }
}
