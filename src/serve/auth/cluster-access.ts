import { errno, Failure, Outage, Refusal } from '../../errors.ts'
import type { Post } from './cluster-reviews.ts'

/** Milliseconds: somebody waits who wants to come in. Bytes: whom a review tells of may be in some thousand groups. */
const limits = { patience: 5_000, answer: 1024 * 1024 }

export type ClusterAccessOptions = {
  /** The files of KUBECONFIG; null for the pod's service account or ~/.kube/config. */
  readonly kubeconfig: readonly string[] | null
  readonly userAgent: string
}

/**
 * The API server, as far as the service asks it. Whatever goes wrong is an Outage for whoever wants to come in, and what they
 * are told holds no address and no answer of the API server; those are its cause, for the log.
 * @throws Refusal UNSUPPORTED when it is not known where the API server is, and who we are to it
 */
export async function openClusterAccess(options: ClusterAccessOptions): Promise<Post> {
  // Most services run without, and it is large.
  const { Connection } = await import('../../kube/connection.ts')
  const connection = opened(() => new Connection({ ...options, limits }))
  const always = new AbortController().signal
  return async (path, body) => {
    try {
      return await connection.create(path, body, always)
    } catch (cause) {
      throw cause instanceof Failure ? unavailable(cause) : cause
    }
  }
}

function opened<Value>(open: () => Value): Value {
  try {
    return open()
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    const message = `SLIPWAY_AUTH is "kubernetes", but ${cause.message}`
    throw new Refusal('UNSUPPORTED', message, { cause })
  }
}

/** Milliseconds. */
const comeAgainIn = 10_000

function unavailable(cause: Failure): Outage {
  return new Outage(
    'CLUSTER_UNAVAILABLE',
    `the API server of the cluster cannot be asked who this is: ${reasonOf(cause)}; try again`,
    { cause, retryAfter: comeAgainIn },
  )
}

function reasonOf(failure: Failure): string {
  if (failure instanceof Refusal || failure.code === 'CLUSTER_UNAUTHENTICATED') {
    return 'it does not let this service ask; look at its credentials, and bind the ClusterRole system:auth-delegator to its account'
  }
  const code = errno(failure.cause)
  return code === null ? 'it gives no answer' : `it does not answer (${code})`
}
