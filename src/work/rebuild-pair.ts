import type { Store } from '../store/store.ts'
import { PushedRecords } from './pushed-records.ts'
import { rebuild, type Findings, type Ground } from './rebuild.ts'
import { isCurrent, mark, pairUp, type Pair } from './store-identity.ts'

/**
 * Makes a catalog and a store one again. Where the catalog is the newest there is of this store, records that were left behind
 * by a crash or an outage follow it first, so that nothing comes back that was deleted.
 */
export async function rebuildPair(
  pair: Pair & { readonly store: Store },
  rest: Pick<Ground, 'now' | 'report'>,
  signal: AbortSignal,
): Promise<Findings> {
  if (await isCurrent(pair)) await new PushedRecords(pair).catchUp()
  await mark(pair)
  const findings = await rebuild({ ...pair, ...rest }, signal)
  await pairUp(pair)
  return findings
}
