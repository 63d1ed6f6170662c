import { setImmediate } from 'node:timers/promises'
import type { Look } from '../catalog/blobs.ts'
import type { Catalog } from '../catalog/catalog.ts'

/** So many blobs are looked at in one go, which takes less than a millisecond. */
const pageSize = 100

/** All blobs of the catalog, in pages between which everything else has its turn, and those that nothing keeps. */
export async function* pagesOfUnkept(catalog: Catalog): AsyncGenerator<Look> {
  for (let after: string | null = ''; after !== null;) {
    const look: Look = await catalog.read.blobs.unkept(after, pageSize)
    yield look
    after = look.last
    await setImmediate()
  }
}
