import { Failure } from '../../errors.ts'

/** Whether it was the service that failed, and not the API server or ourselves. */
export function isOfService(error: unknown): error is Failure {
  return error instanceof Failure && !error.code.startsWith('CLUSTER_') && error.code !== 'INTERNAL'
}

/** Whether what was acted upon has changed meanwhile, so that it has to be looked at anew. */
export function isOutdated(error: unknown): boolean {
  if (!(error instanceof Failure)) return false
  return outdated.has(error.code)
}

/** Whether the API server does not take it, now or later. */
export function isRefused(error: unknown): boolean {
  return error instanceof Failure && error.code === 'CLUSTER_REFUSED'
}

const outdated = new Set(['CLUSTER_CONFLICT', 'CLUSTER_NOT_FOUND', 'UID_DIFFERS', 'BEING_DELETED'])

const refusing = new Set(['UNAUTHORIZED', 'DENIED', 'HOST_FORBIDDEN'])

/** Why the service cannot be asked, in words that stay the same for as long as the reason does. */
export function wordsFor(trouble: Failure | null): string {
  if (!trouble || trouble.code === 'SERVICE_UNREACHABLE') {
    return 'the image service cannot be reached, and what is shown here is what it said last; look at it and at SLIPWAY_URL'
  }
  if (!refusing.has(trouble.code)) {
    return `the image service cannot do it at present: ${trouble.message}`
  }
  return `the image service refuses the companion (${trouble.message}); give it a token of the role "editor" in SLIPWAY_TOKEN or SLIPWAY_TOKEN_FILE`
}
