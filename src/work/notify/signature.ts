import { createHmac } from 'node:crypto'

export const secretShape =
  'must be whsec_ and 24 to 64 bytes as base64, such as from `echo whsec_$(openssl rand -base64 32)`'

/** The key of a secret (Standard Webhooks, "Signature scheme"), null when it is none. */
export function keyOf(secret: string): Buffer | null {
  const [, text] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? []
  const key = Buffer.from(text ?? '', 'base64')
  return key.length >= 24 && key.length <= 64 ? key : null
}

/**
 * What says whom a message is from and when it was sent (Standard Webhooks, "Signature scheme"). With several keys there
 * are as many signatures, so that a secret can follow another one without a gap.
 * @param now milliseconds since 1970
 */
export function signed(id: string, body: string, keys: readonly Buffer[], now: number) {
  const timestamp = String(Math.floor(now / 1000))
  const signature = (key: Buffer) =>
    `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    ...(keys.length > 0 && { 'webhook-signature': keys.map(signature).join(' ') }),
  }
}
