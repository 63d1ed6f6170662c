import type { Catalog } from '../../catalog/catalog.ts'
import type { Call } from '../context.ts'
import { cut, pageOf } from './page.ts'

/** `GET /v2/_catalog`: the repositories that the caller may read, in ASCII order. */
export async function listRepositories(
  c: Call,
  { catalog }: { readonly catalog: Catalog },
): Promise<Response> {
  const { count, after } = pageOf(c)
  const caller = c.get('caller')
  const found: string[] = []
  const { manifests } = catalog.read
  let name = await manifests.repositoryAfter(after)
  while (name !== null && found.length <= count) {
    if (caller.entitled('pull', name)) found.push(name)
    name = await manifests.repositoryAfter(name)
  }
  return c.json({ repositories: cut(c, '/v2/_catalog', found, count) })
}
