import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'
import type { HttpSection } from '../image/data-source.ts'
import { Refusal } from '../errors.ts'

/** Whom a TLS connection trusts; without a word, whom Node trusts. */
export type Trust = { readonly ca?: string[]; readonly rejectUnauthorized?: boolean }

type Asked = Pick<HttpSection, 'caBundle' | 'insecureSkipTLSVerify'>

/**
 * A `caBundle` adds to the roots that are trusted anyway.
 * @throws Refusal INVALID_REQUEST when the bundle holds no readable certificates
 */
export function trustOf(
  { caBundle, insecureSkipTLSVerify }: Asked,
  section: 'http' | 'containerImage' = 'http',
): Trust {
  if (insecureSkipTLSVerify) return { rejectUnauthorized: false }
  return caBundle === undefined
    ? {}
    : { ca: [...getCACertificates('default'), ...certificates(caBundle, section)] }
}

function certificates(caBundle: string, section: string): readonly string[] {
  const found = certificatesIn(Buffer.from(caBundle, 'base64').toString('latin1'))
  if (!found) throw unreadable(section)
  return found
}

/** The certificates of a PEM text, each by itself; null when it holds none, or one that cannot be read. */
export function certificatesIn(pem: string): readonly string[] | null {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.length > 0 && blocks.every(isCertificate) ? blocks : null
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0
  } catch {
    return false
  }
}

function unreadable(section: string): Refusal {
  const message = 'holds a certificate that cannot be read; give base64 of a PEM chain'
  return new Refusal('INVALID_REQUEST', `caBundle ${message}`, {
    fields: [{ path: `${section}.caBundle`, message }],
  })
}
