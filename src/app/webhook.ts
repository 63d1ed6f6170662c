import { once } from 'node:events'
import type { CompanionSettings, Listen } from '../env.ts'
import type { ClusterApi } from '../kube/cluster-api.ts'
import type { Log } from '../log.ts'
import type { Informer } from '../sync/kube/informer.ts'
import type { CompanionMetrics } from '../sync/metrics.ts'
import type { MachineClass } from '../sync/virtual-machine-class/resource.ts'
import { Webhook } from '../sync/webhook.ts'
import type { KeyPair } from '../tls/pair.ts'
import type { Certificate } from '../sync/webhook/certificate.ts'
import { MountedCertificate } from '../sync/webhook/mounted-certificate.ts'

type Ground = {
  readonly api: ClusterApi
  readonly log: Log
  readonly now: () => number
  readonly random: () => number
  readonly metrics: CompanionMetrics
  readonly resources: Informer<MachineClass>
  /** Of the companion. */
  readonly namespace: string
}

/** What the API server asks about classes and machines, leading or not, until it is disposed of. */
export type Admission = AsyncDisposable & {
  readonly address: Listen
  readonly hasCertificate: boolean
  /** Why its certificate cannot be seen to at present; null while it can. */
  readonly trouble: string | null
  /** Resolves when it has its certificate, or when the signal ends. */
  readonly certified: (signal: AbortSignal) => Promise<void>
  /** Sees to its certificate. */
  readonly certify: (signal: AbortSignal) => Promise<void>
}

/**
 * Null when it is not wanted.
 * @throws Refusal UNSUPPORTED when the address is taken, or the mounted certificate cannot be used
 */
export async function openAdmission(
  { webhookListen, webhookCert }: CompanionSettings,
  ground: Ground,
): Promise<Admission | null> {
  if (!webhookListen) return null
  const certificate = await certificateOf(webhookCert, ground)
  const webhook = await Webhook.open(webhookListen, ground)
  const first = Promise.withResolvers<void>()
  const use = (pair: KeyPair) => {
    webhook.use(pair)
    first.resolve()
  }
  return {
    address: webhook.address,
    get hasCertificate() {
      return webhook.hasCertificate
    },
    get trouble() {
      return certificate.trouble
    },
    certified: (signal) => Promise.race([first.promise, endOf(signal)]),
    certify: (signal) => certificate.run(use, signal),
    [Symbol.asyncDispose]: () => webhook[Symbol.asyncDispose](),
  }
}

async function certificateOf(folder: string | null, ground: Ground): Promise<Certificate> {
  if (folder !== null) return await MountedCertificate.open(folder, ground)
  // What makes certificates is large, and loaded only where it is used.
  const { OwnCertificate } = await import('../sync/webhook/own-certificate.ts')
  return new OwnCertificate(ground)
}

async function endOf(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
