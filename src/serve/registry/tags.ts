import type { Catalog } from '../../catalog/catalog.ts'
import { Refusal } from '../../errors.ts'
import type { Call } from '../context.ts'

/** Tags of one answer when the client names no number, and the most that it may ask for. */
const usual = 1000
const most = 10_000

/** end-8: ASCII order; a `Link` leads to the next page. */
export async function listTags(
  c: Call,
  repository: string,
  reference: string,
  { catalog }: { readonly catalog: Catalog },
): Promise<Response> {
  if (reference !== 'list') throw new Refusal('NOT_FOUND', `there is nothing at ${c.req.path}`)
  const { manifests } = catalog.read
  if (!(await manifests.exists(repository))) {
    throw new Refusal('NAME_UNKNOWN', `there is no repository "${repository}"`)
  }
  const count = countOf(c.req.query('n'))
  const found = await manifests.tags(repository, c.req.query('last') ?? '', count + 1)
  const tags = found.slice(0, count)
  const last = tags.at(-1)
  if (last !== undefined && found.length > count) {
    const next = new URLSearchParams({ n: String(count), last })
    c.header('link', `</v2/${repository}/tags/list?${next.toString()}>; rel="next"`)
  }
  return c.json({ name: repository, tags })
}

function countOf(text: string | undefined): number {
  if (text === undefined) return usual
  if (/^\d+$/.test(text)) return Math.min(Number(text), most)
  throw new Refusal('INVALID_REQUEST', `n is "${text}"; it must be a number`)
}
