import { Outage, Refusal, errno, type Failure } from '../errors.ts'

/** How connections fail, in words: system errors, undici's errors and OpenSSL's verdicts on certificates. */

const connecting: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'it refuses connections',
  ECONNRESET: 'it broke the connection',
  ENOTFOUND: 'its name does not resolve',
  EAI_AGAIN: 'its name does not resolve',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
}

const tls = /^(?:EPROTO|ERR_SSL_|ERR_TLS_)/
const waiting = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'])

/** X509_verify_cert(3), as Node names the outcomes. Trying again does not help; another `caBundle` does. */
const certificate =
  /^(?:ERR_TLS_CERT_|CERT_|(?:DEPTH_ZERO_)?SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY|DECRYPT|DECODE)_|INVALID_(?:CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH_)/

/** No connection came about. */
export function connectFailure(cause: unknown, host: string, timeout: number): Failure {
  const code = errno(cause) ?? ''
  if (isCertificateError(code)) return untrusted(cause, host, code)
  const reason = reasonOf(code, timeout)
  return unavailable(`no connection to ${host}: ${reason}; check that the source is up`, cause)
}

export function isCertificateError(code: string): boolean {
  return certificate.test(code)
}

/** Why there is no connection. */
export function reasonOf(code: string, timeout: number): string {
  if (waiting.has(code)) return `it did not answer within ${seconds(timeout)}`
  if (tls.test(code)) return `TLS with it fails (${code})`
  return connecting[code] ?? 'it cannot be reached'
}

function untrusted(cause: unknown, host: string, code: string): Refusal {
  const words =
    code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? `is for another name; check the URL`
      : `is not trusted (${code}); give its CA as caBundle`
  return new Refusal('SOURCE_REFUSED', `the certificate of ${host} ${words}`, { cause })
}

/** The connection broke before there was an answer. */
export function answerFailure(cause: unknown, url: string, timeout: number): Failure {
  if (errno(cause) === 'UND_ERR_HEADERS_TIMEOUT') {
    return unavailable(`the source sent no answer within ${seconds(timeout)} for ${url}`, cause)
  }
  return unavailable(`the source broke the connection before it answered for ${url}`, cause)
}

/** The connection broke in the middle of the body; `progress` says where, as in `7 of 10 bytes`. */
export function bodyFailure(cause: unknown, progress: string, timeout: number): Failure {
  const code = errno(cause)
  if (code === 'UND_ERR_BODY_TIMEOUT') {
    return unavailable(`the source fell silent for ${seconds(timeout)} after ${progress}`, cause)
  }
  const what = code === 'ECONNRESET' ? 'broke the connection' : 'ended'
  return unavailable(`the source ${what} after ${progress}`, cause)
}

export function unavailable(message: string, cause?: unknown): Outage {
  return new Outage('SOURCE_UNAVAILABLE', message, { cause })
}

export function seconds(milliseconds: number): string {
  return `${milliseconds / 1000} s`
}
