import { Refusal } from '../../errors.ts'
import type { Call } from '../context.ts'

/** Names of one answer when the client names no number, and the most that it may ask for. */
const usual = 1000
const most = 10_000

/** What `n` and `last` ask for (OCI distribution-spec, "Listing Tags"). */
export type Page = { readonly count: number; readonly after: string }

/** @throws Refusal PAGE_INVALID */
export function pageOf(c: Call): Page {
  return { count: countOf(c.req.query('n')), after: c.req.query('last') ?? '' }
}

/**
 * The names of a page out of one more than it holds; the extra one says that there is a next page, which a `Link` leads to.
 * @param path of the list
 */
export function cut(c: Call, path: string, found: readonly string[], count: number) {
  const names = found.slice(0, count)
  const last = names.at(-1)
  if (last !== undefined && found.length > count) {
    const next = new URLSearchParams({ n: String(count), last })
    c.header('link', `<${path}?${next.toString()}>; rel="next"`)
  }
  return names
}

function countOf(text: string | undefined): number {
  if (text === undefined) return usual
  if (/^\d{1,15}$/.test(text)) return Math.min(Number(text), most)
  throw new Refusal('PAGE_INVALID', `n is "${text.slice(0, 50)}"; it must be a whole number`)
}
