import { mkdir, realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Refusal } from '../errors.ts'
import type { Store } from '../store/store.ts'

/** A store that a command was told by its place. */
export type StoreAt = AsyncDisposable & { readonly store: Store; readonly place: string }

/**
 * `filesystem:PATH`, a data folder. One that is read may be in use; one that is written to is locked.
 * @throws Refusal when the text is no place, there is nothing to read, or the folder is in use
 */
export async function openStoreAt(text: string, use: 'read' | 'write'): Promise<StoreAt> {
  const [, path] = /^filesystem:(.+)$/.exec(text) ?? []
  if (path !== undefined) return await openFolder(resolve(path), use)
  throw new Refusal('UNSUPPORTED', `"${text}" is no storage; give filesystem:PATH`)
}

async function openFolder(path: string, use: 'read' | 'write'): Promise<StoreAt> {
  const { FilesystemStore } = await import('../store/filesystem.ts')
  await using resources = new AsyncDisposableStack()
  if (use === 'read') {
    const store = await FilesystemStore.beside(path)
    return { store, place: await placeOf(path), [Symbol.asyncDispose]: async () => {} }
  }
  const { lockFolder } = await import('../catalog/lock.ts')
  await mkdir(path, { recursive: true })
  resources.use(lockFolder(path))
  const store = await FilesystemStore.open(path)
  const held = resources.move()
  const place = await placeOf(path)
  return { store, place, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

async function placeOf(path: string): Promise<string> {
  return `filesystem:${await realpath(path)}`
}
