import type { Readiness } from './health.ts'

export type ReadinessOptions = {
  readonly resources: { readonly isSynced: boolean; readonly trouble: string | null }
  /** What else is asked of the API server, by what it is called. */
  readonly others: readonly (readonly [string, { readonly trouble: string | null }])[]
  readonly leader: { readonly isLeading: boolean; readonly trouble: string | null }
  readonly mirror: { readonly lostSince: number | null; readonly trouble: Error | null }
  /** Null where there is none. */
  readonly webhook: { readonly hasCertificate: boolean; readonly trouble: string | null } | null
  readonly isStopping: () => boolean
}

/**
 * The companion is ready when it knows all ClusterVirtualImages, as a follower, too, and its webhook can be asked. That the service
 * is away, or that nothing is known of classes, is told, and no reason to take the companion for broken.
 */
export function readinessOf({
  resources,
  others,
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
      ...beside(trouble, others),
      ...(webhook?.trouble ? [`the certificate of the webhook: ${webhook.trouble}`] : []),
      ...leading(leader),
      ...(leader.isLeading ? [listening(mirror)] : []),
    ],
  }
}

/** What is the matter with everything is told once. */
function beside(trouble: string | null, others: ReadinessOptions['others']): string[] {
  return others
    .filter(([, other]) => other.trouble !== null && other.trouble !== trouble)
    .map(([what, other]) => `the API server, of ${what}: ${other.trouble}`)
}

function leading({ isLeading, trouble }: ReadinessOptions['leader']): string[] {
  const who = isLeading ? 'this process leads' : 'this process does not lead'
  return trouble === null ? [who] : [who, `the Lease: ${trouble}`]
}

function listening({ lostSince, trouble }: ReadinessOptions['mirror']): string {
  if (lostSince === null) return 'the service is listened to'
  return `the service is away: ${trouble?.message ?? 'it has not answered yet'}`
}
