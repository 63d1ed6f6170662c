import type { Records, Store } from '../../src/store/store.ts'

/** A store that does some things in another way. */
export function storeWith(store: Store, changes: Partial<Store>): Store {
  return {
    stat: (digest) => store.stat(digest),
    open: (digest, range, signal) => store.open(digest, range, signal),
    stage: (options) => store.stage(options),
    resume: (id, options) => store.resume(id, options),
    staged: () => store.staged(),
    discard: (id) => store.discard(id),
    remove: (digest) => store.remove(digest),
    list: () => store.list(),
    strays: (before) => store.strays(before),
    free: () => store.free(),
    probe: (signal) => store.probe(signal),
    records: store.records,
    ...changes,
  }
}

/** The records of a store, some of its ways replaced. */
export function recordsWith(records: Records, changes: Partial<Records>): Records {
  return {
    put: (key, bytes) => records.put(key, bytes),
    putNew: (key, bytes) => records.putNew(key, bytes),
    read: (key) => records.read(key),
    remove: (key) => records.remove(key),
    list: (prefix) => records.list(prefix),
    ...changes,
  }
}
