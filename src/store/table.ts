import type { Log } from '../log.ts'
import type { Settings } from '../env.ts'
import type { S3Metrics } from '../metrics/s3.ts'
import { FilesystemStore } from './filesystem.ts'
import type { Store } from './store.ts'

type Open = (
  settings: Settings,
  log: Log,
  metrics: S3Metrics | null,
) => Promise<Store & AsyncDisposable>

/** Every kind of storage. A new one is a line here. */
const kinds: { readonly [Kind in Settings['storage']]: Open } = {
  filesystem: ({ dataDir }) => FilesystemStore.open(dataDir),
  // What speaks S3 takes a tenth of a second to load.
  s3: async (settings, log, metrics) =>
    (await import('./s3/open.ts')).openS3Store(settings, log, metrics),
}

/** @throws Outage STORAGE_UNAVAILABLE when it cannot be reached */
export async function openStore(
  settings: Settings,
  log: Log,
  metrics: S3Metrics | null = null,
): Promise<Store & AsyncDisposable> {
  return await kinds[settings.storage](settings, log, metrics)
}

/** What people know it by. */
export function storeName({ storage, dataDir, s3Bucket, s3Prefix }: Settings): string {
  return storage === 's3' ? `s3://${s3Bucket}/${s3Prefix ?? ''}` : dataDir
}
