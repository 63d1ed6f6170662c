import { z } from 'zod'
import { errno, Failure, Outage } from '../../errors.ts'

/** Where requests went, for people. */
export type Addressed = { readonly bucket: string; readonly endpoint: string }

const metadataSchema = z.object({ httpStatusCode: z.number().optional() })

const full =
  /Quota|StorageFull|InsufficientStorage|InsufficientCapacity|NoSpace|EntityTooLarge.*quota/i
const denied =
  /^(?:AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|TokenRefreshRequired|RequestTimeTooSkewed)$/

/** Of the requests that are refused, these may be taken later. */
const passing = new Set([408, 409, 429])

/** What OpenSSL and Node say of a certificate that nobody has vouched for. */
const untrusted = /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_SELF_SIGNED_|CERT_|ERR_TLS_CERT_)/

/** Of an answer that is none of S3's, too: the SDK throws an error of its own for one that it cannot read. */
export function statusOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('$metadata' in error)) return null
  return metadataSchema.safeParse(error.$metadata).data?.httpStatusCode ?? null
}

export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  if (error.name !== 'Error') return error.name
  return errno(error) ?? (statusOf(error) === null ? error.message : 'no answer of S3')
}

/**
 * The object or the upload is not there, while the bucket is. Something on the way that finds no server answers 404, too, and
 * does not say what is missing.
 */
export function isMissing(error: unknown): boolean {
  return statusOf(error) === 404 && /^NoSuch(?!Bucket)/.test(nameOf(error))
}

/** The same where an answer has no body: HEAD tells no more than 404. */
export function isPerhapsMissing(error: unknown): boolean {
  return statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket'
}

/** A feature that this server does not have. */
export function isUnknownThere(error: unknown): boolean {
  return statusOf(error) === 501 || nameOf(error) === 'NotImplemented'
}

/** The same of a condition on a request: some take a header that they do not know for a mistake. */
export function mayNotKnow(error: unknown): boolean {
  return isUnknownThere(error) || statusOf(error) === 400 || statusOf(error) === 405
}

/** What the storage said as one of our own failures; the SDK's error is the cause. */
export function failureOf(cause: unknown, at: Addressed): Failure {
  if (cause instanceof Failure) return cause
  const name = nameOf(cause)
  if (full.test(name) || statusOf(cause) === 507) {
    const message = `the bucket "${at.bucket}" takes no more bytes (${name}); free space or raise its quota`
    return new Outage('STORAGE_FULL', message, { cause })
  }
  return new Outage('STORAGE_UNAVAILABLE', told(name, statusOf(cause), at), { cause })
}

function told(name: string, status: number | null, { bucket, endpoint }: Addressed): string {
  if (name === 'NoSuchBucket') {
    return `there is no bucket "${bucket}" at ${endpoint}; create it, or correct SLIPWAY_S3_BUCKET or SLIPWAY_S3_ENDPOINT`
  }
  if (name === 'CredentialsProviderError') {
    return `there are no credentials for the bucket "${bucket}" at ${endpoint}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role`
  }
  if (denied.test(name) || status === 401 || status === 403) {
    return `${endpoint} refused access to the bucket "${bucket}" (${name}); check the credentials, what they may do, and the clock`
  }
  if (status !== null && status < 500 && !passing.has(status)) {
    return `${endpoint} refused a request for the bucket "${bucket}" (${name}, ${status}); check SLIPWAY_S3_ENDPOINT, the bucket, the prefix and the credentials`
  }
  if (status !== null) {
    return `the storage at ${endpoint} failed for the bucket "${bucket}" (${name}, ${status}); try again, and look at it`
  }
  if (untrusted.test(name)) {
    return `the certificate of the storage at ${endpoint} is not trusted (${name}); name a file with the certificate of its CA in SSL_CERT_FILE`
  }
  return `the storage at ${endpoint} with the bucket "${bucket}" cannot be reached (${name}); check SLIPWAY_S3_ENDPOINT and the network`
}
