import type { Catalog } from '../../catalog/catalog.ts'
import { Refusal } from '../../errors.ts'
import type { Call } from '../context.ts'
import { cut, pageOf } from './page.ts'

/** end-8: ASCII order; a `Link` leads to the next page. */
export async function listTags(
  c: Call,
  repository: string,
  { catalog }: { readonly catalog: Catalog },
): Promise<Response> {
  const { manifests } = catalog.read
  if (!(await manifests.exists(repository))) {
    throw new Refusal('NAME_UNKNOWN', `there is no repository "${repository}"`)
  }
  const { count, after } = pageOf(c)
  const found = await manifests.tags(repository, after, count + 1)
  return c.json({ name: repository, tags: cut(c, `/v2/${repository}/tags/list`, found, count) })
}
