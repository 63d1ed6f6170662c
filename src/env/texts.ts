import { isIP } from 'node:net'
import { resolve } from 'node:path'
import ipaddr from 'ipaddr.js'
import type { z } from 'zod'
import { parseDuration } from '../image/duration.ts'
import { parseSize } from '../image/size.ts'

/** The texts that settings are given as: each reader answers undefined to what is not allowed. */
export type Listen = { readonly host: string; readonly port: number }

/** The longest that a timer of the platform takes is a little less than 25 days. */
const longest = 24 * 86_400_000
export const duration = (text: string) => {
  const milliseconds = parseDuration(text)
  return milliseconds !== null && milliseconds > 0 && milliseconds <= longest
    ? milliseconds
    : undefined
}
/** How often something is done, in milliseconds; null for never. */
export const schedule = (text: string): number | null | undefined => {
  if (text === 'never') return null
  return duration(often.get(text) ?? text)
}
const often = new Map([
  ['daily', '1d'],
  ['weekly', '7d'],
])
export const size = (text: string) => parseSize(text) ?? undefined

/** Texts that a schema takes, as they come out of it. */
export const by =
  <Value>(schema: z.ZodType<Value, string>) =>
  (text: string): Value | undefined =>
    schema.safeParse(text).data

export function listen(text: string): Listen | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host === undefined || port > 65_535) return undefined
  return isIP(host) || host === 'localhost' ? { host, port } : undefined
}

export function baseUrl(text: string): string | undefined {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) return undefined
  if (url.username || url.password || url.search || url.hash) return undefined
  return url.href.replace(/\/+$/, '')
}

/** CIDRs, single addresses and host globs, by commas. */
export function places(text: string): readonly string[] | undefined {
  const all = text.split(',').map((part) => part.trim())
  return all.every(isPlace) ? all : undefined
}

/** A shortened CIDR and a glob of digits would look like a rule and match nothing that DNS answers. */
function isPlace(text: string): boolean {
  const [network = '', prefix] = text.split('/')
  if (isIP(network)) return prefix === undefined || ipaddr.isValidCIDR(text)
  const glob = /^(?:\*\.)?[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)*$/i
  return prefix === undefined && glob.test(text) && /[a-z]/i.test(text)
}

export const aDuration = 'a duration up to 24d, such as 30s, 15m or 24h'
export const aSize = 'bytes, also as 64Mi, 20Gi or 1Ti'

/** Bytes a second; with less, a disk takes weeks, and a source that waits takes us for dead. */
export const bandwidth = (text: string) => {
  const bytes = parseSize(text)
  return bytes !== null && bytes >= 1024 ? bytes : undefined
}

/** A path, made whole where the process was started. */
export function file(text: string): string | undefined {
  return text === '' ? undefined : resolve(text)
}

/** CIDRs and single addresses, by commas, all as CIDRs. */
export function proxies(text: string): readonly string[] | undefined {
  const all = text.split(',').map((part) => asNetwork(part.trim()))
  return all.every((part) => part !== undefined) ? all : undefined
}

function asNetwork(text: string): string | undefined {
  const version = isIP(text)
  if (version) return `${text}/${version === 4 ? 32 : 128}`
  return isIP(text.split('/')[0] ?? '') && ipaddr.isValidCIDR(text) ? text : undefined
}

/** A host name or an address, IPv6 in brackets, with an optional port. */
export function registry(text: string): string | undefined {
  const host = /^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/
  return host.test(text) ? text : undefined
}

/** Registries, by commas, in lower case. */
export function registries(text: string): readonly string[] | undefined {
  const all = text.split(',').map((part) => registry(part.trim().toLowerCase()))
  return all.every((part) => part !== undefined) ? all : undefined
}

/** Origins of pages (`https://console.example.com`), by commas, or `*`. */
export function origins(text: string): readonly string[] | undefined {
  const all = text.split(',').map((part) => part.trim().toLowerCase())
  return all.every((part) => part === '*' || isOrigin(part)) ? all : undefined
}

function isOrigin(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text
}

/** What a header can bear (RFC 6750 section 2.1, and whatever else is no space). */
export function token(text: string): string | undefined {
  return /^[\x21-\x7e]+$/.test(text) ? text : undefined
}
