import type { Answer } from './exchange.ts'
import { shown } from './request.ts'
import type { Validators } from './source.ts'

type Headers = Readonly<Record<string, string>>

/**
 * An ETag of at least so many characters, its quotes among them, is a hash, or time and size: no other file of the same path
 * has it. A short one may be a number that every file begins with.
 */
const telling = 16

/**
 * The headers that ask one hop for what is not known yet (RFC 9110 sections 13.1.2 and 13.1.3). Validators belong to the
 * place that gave them. A redirect may lead to the same path with another query, as signed URLs do, where only an ETag counts
 * that no other file would have. A date beside an ETag is not sent: it is for servers that cannot tell more.
 */
export function conditionsFor(known: Validators, hop: URL, start: URL): Headers {
  const { etag, lastModified } = known
  if (shown(hop) !== known.url) return {}
  const isSure = hop.href === start.href
  if (etag !== null) return isSure || etag.length >= telling ? { 'if-none-match': etag } : {}
  return isSure && lastModified !== null ? { 'if-modified-since': lastModified } : {}
}

/**
 * Whether a 304 says that the bytes are those that are known: nothing in it may differ from them. To a date alone a server
 * may answer 304 for an older file, too, so there it has to name the very date.
 */
export function isUnchanged(answer: Pick<Answer, 'field'>, known: Validators): boolean {
  const etag = answer.field('etag')
  const lastModified = answer.field('last-modified')
  if (known.etag === null) return lastModified !== null && lastModified === known.lastModified
  if (etag !== null && etag !== known.etag) return false
  return lastModified === null || known.lastModified === null || lastModified === known.lastModified
}
