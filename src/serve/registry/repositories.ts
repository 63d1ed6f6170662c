import { setImmediate as turn } from 'node:timers/promises'
import type { Catalog } from '../../catalog/catalog.ts'
import type { Call } from '../context.ts'
import { cut, pageOf } from './page.ts'

/** Names of one look into the catalog. */
const atOnce = 500

/** `GET /v2/_catalog`: the repositories that the caller may read, in ASCII order. */
export async function listRepositories(
  c: Call,
  { catalog }: { readonly catalog: Catalog },
): Promise<Response> {
  const { count, after } = pageOf(c)
  const caller = c.get('caller')
  const found: string[] = []
  let last: string | undefined = after
  while (last !== undefined && found.length <= count) {
    const names = await catalog.read.manifests.repositories(last, atOnce)
    found.push(...names.filter((name) => caller.entitled('pull', name)))
    last = names.at(-1)
    // Many that the caller may not read are passed over; others are to be answered meanwhile.
    await turn()
  }
  return c.json({ repositories: cut(c, '/v2/_catalog', found, count) })
}
