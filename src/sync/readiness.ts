import type { Readiness } from './health.ts'

export type ReadinessOptions = {
  readonly resources: { readonly isSynced: boolean; readonly trouble: string | null }
  readonly leader: { readonly isLeading: boolean; readonly trouble: string | null }
  readonly mirror: { readonly lostSince: number | null; readonly trouble: Error | null }
  /** Null where there is none. */
  readonly webhook: { readonly hasCertificate: boolean; readonly trouble: string | null } | null
  readonly isStopping: () => boolean
}

/**
 * The companion is ready when it knows all resources, as a follower, too, and its webhook can be asked. That the service is away is told, and no reason to
 * take the companion for broken.
 */
export function readinessOf({
  resources,
  leader,
  mirror,
  webhook,
  isStopping,
}: ReadinessOptions): Readiness {
  if (isStopping()) return { isReady: false, lines: ['the companion is shutting down'] }
  const { isSynced, trouble } = resources
  const missing = [
    ...(isSynced ? [] : ['the resources are not known yet']),
    ...(webhook?.hasCertificate === false ? ['the webhook has no certificate yet'] : []),
  ]
  return {
    isReady: missing.length === 0,
    lines: [
      ...(missing.length === 0 ? ['ok'] : missing),
      ...(trouble === null ? [] : [`the API server: ${trouble}`]),
      ...(webhook?.trouble ? [`the certificate of the webhook: ${webhook.trouble}`] : []),
      ...leading(leader),
      ...(leader.isLeading ? [listening(mirror)] : []),
    ],
  }
}

function leading({ isLeading, trouble }: ReadinessOptions['leader']): string[] {
  const who = isLeading ? 'this process leads' : 'this process does not lead'
  return trouble === null ? [who] : [who, `the Lease: ${trouble}`]
}

function listening({ lostSince, trouble }: ReadinessOptions['mirror']): string {
  if (lostSince === null) return 'the service is listened to'
  return `the service is away: ${trouble?.message ?? 'it has not answered yet'}`
}
