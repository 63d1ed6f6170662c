import { basename, join } from 'node:path'
import { inject } from 'vitest'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import type { Store } from '../../src/store/store.ts'
import { s3Variables } from './s3.ts'
import { openStoreOn } from './s3-store.ts'

/** An S3 server that holds what the services of a run store; each has the name of its data folder as prefix. */
export type Place = {
  /** What services are given; a bad road may lie before the server. */
  readonly endpoint: string
  /** The server itself. */
  readonly direct: string
  readonly bucket: string
  /** Where the bucket's objects lie as files. */
  readonly folder: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** Missing where services store files. */
    readonly place?: Place
  }
}

/** Whether the services of this run keep what they store in S3. */
export function isInS3(): boolean {
  return inject('place') !== undefined
}

/** Whether answers of that S3 server get lost on their way. */
export function isOnBadRoad(): boolean {
  const place = inject('place')
  return place !== undefined && place.endpoint !== place.direct
}

/** What a service on this folder is given. */
export function placeVariables(folder: string, place = inject('place')) {
  return place ? s3Variables(place.endpoint, place.bucket, basename(folder)) : {}
}

/** Where small blobs lie as files, for tests that damage them. */
export function blobFolder(folder: string): string {
  const place = inject('place')
  return join(place ? join(place.folder, basename(folder)) : folder, 'blobs')
}

/** The store of the service on a folder, to look into beside it. */
export async function openBeside(folder: string): Promise<Store & AsyncDisposable> {
  const place = inject('place')
  if (!place) return await FilesystemStore.beside(folder)
  const { direct: endpoint, bucket } = place
  return await openStoreOn({ endpoint, bucket }, folder, { scratch: join(folder, 'scratch') })
}
