import { realpath, rmdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Settings } from '../env.ts'
import { errno, Refusal } from '../errors.ts'
import type { Store } from '../store/store.ts'
import { withSettings } from './command.ts'

/** A store that a command was told by its place. */
export type StoreAt = AsyncDisposable & { readonly store: Store; readonly place: string }

/**
 * `filesystem:PATH`, a data folder, or `s3://BUCKET/PREFIX`, where the settings say how the server is reached. A folder that is read may be in use; one that is written to is locked.
 * @throws Refusal when the text is no place, there is nothing to read, or the folder is in use; Outage STORAGE_UNAVAILABLE
 */
export async function openStoreAt(text: string, use: 'read' | 'write'): Promise<StoreAt> {
  const [, path] = /^filesystem:(.+)$/.exec(text) ?? []
  if (path !== undefined) return await openFolder(resolve(path), use)
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(text) ?? []
  if (bucket !== undefined) return await openBucket(bucket, prefix.replace(/\/$/, ''))
  throw new Refusal(
    'UNSUPPORTED',
    `"${text}" is no storage; give filesystem:PATH or s3://BUCKET/PREFIX`,
  )
}

async function openFolder(path: string, use: 'read' | 'write'): Promise<StoreAt> {
  const { FilesystemStore } = await import('../store/filesystem.ts')
  await using resources = new AsyncDisposableStack()
  if (use === 'read') {
    const store = await FilesystemStore.beside(path)
    return { store, place: await placeOf(path), [Symbol.asyncDispose]: async () => {} }
  }
  const { lockFolder } = await import('../catalog/lock.ts')
  const { makeFolders } = await import('../store/folders.ts')
  await makeFolders(path)
  resources.use(lockFolder(path))
  const store = await FilesystemStore.open(path)
  const held = resources.move()
  const place = await placeOf(path)
  return { store, place, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

/** What a service that runs on the same machine has put aside is not looked at: this has a folder of its own. */
async function openBucket(bucket: string, prefix: string): Promise<StoreAt> {
  const settings = bucketSettings(bucket, prefix, await withSettings())
  const { openS3Store } = await import('../store/s3/open.ts')
  const { openLog } = await import('../log.ts')
  const log = openLog({ level: settings.logLevel, format: settings.logFormat })
  const store = await openS3Store(settings, log)
  const at = settings.s3Endpoint === null ? '' : ` at ${settings.s3Endpoint}`
  return {
    store,
    place: `s3://${bucket}/${prefix}${at}`,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await removeIfEmpty(settings.scratchDir)
    },
  }
}

function bucketSettings(s3Bucket: string, prefix: string, settings: Settings) {
  const scratch = settings.scratchDir ?? join(settings.dataDir, 'scratch')
  const s3Prefix = prefix === '' ? null : prefix
  return { ...settings, s3Bucket, s3Prefix, scratchDir: `${scratch}-copy` }
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(errno(error) ?? '')) throw error
  }
}

async function placeOf(path: string): Promise<string> {
  return `filesystem:${await realpath(path)}`
}
