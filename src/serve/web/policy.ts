import { createHash } from 'node:crypto'

/**
 * What the page may do (CSP level 3): load from this service, speak to it, and nothing else.
 * @param inline texts of the inline scripts that it has
 */
export function contentPolicy(inline: readonly string[]): string {
  const scripts = inline.map((text) => `'sha256-${hashOf(text)}'`)
  return [
    "default-src 'none'",
    `script-src 'self' ${scripts.join(' ')}`,
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types lit-html page',
  ].join('; ')
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

/** Of the page and of all its assets. */
export const plainHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const

/** Of the page alone: it is asked for again each time, as another version has other assets. */
export const pageHeaders = {
  ...plainHeaders,
  'cache-control': 'no-cache',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
} as const
