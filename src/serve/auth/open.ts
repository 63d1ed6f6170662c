import type { Settings } from '../../env.ts'
import type { Log } from '../../log.ts'
import type { ServerKey } from '../../work/server-key.ts'
import { openClusterAccess } from './cluster-access.ts'
import { ClusterCallers } from './cluster-callers.ts'
import { ClusterReviews } from './cluster-reviews.ts'
import { Gate, monotonic } from './gate.ts'

export type Opening = {
  readonly key: ServerKey
  readonly log: Log
  /** How this program calls itself where it asks others. */
  readonly userAgent: string
  /** Is told of every attempt that was refused. */
  readonly refused?: () => void
}

/**
 * What asks for credentials; null where none are configured and everyone may do everything.
 * @throws Refusal with one line that names variable, file, line and the way out
 */
export async function openGate(settings: Settings, opening: Opening): Promise<Gate | null> {
  const { auth, tokensFile, htpasswdFile, trustedProxies } = settings
  if (tokensFile === null && htpasswdFile === null && auth !== 'kubernetes') return null
  const { key, log, refused } = opening
  return await Gate.open({
    ...settings,
    trustedProxies: trustedProxies ?? [],
    issuingKey: key.issuingKey,
    log,
    ...(refused && { refused }),
    cluster: auth === 'kubernetes' ? await clusterCallers(settings, opening) : null,
  })
}

async function clusterCallers(
  { kubeconfig }: Settings,
  { log, userAgent }: Opening,
): Promise<ClusterCallers> {
  const reviews = new ClusterReviews(await openClusterAccess({ kubeconfig, userAgent }))
  return new ClusterCallers({ reviews, log, now: monotonic, date: Date.now })
}
