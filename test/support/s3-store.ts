import { basename } from 'node:path'
import { Bucket } from '../../src/store/s3/bucket.ts'
import { S3Store, type S3Options } from '../../src/store/s3/store.ts'
import { client } from './s3.ts'

const mebibyte = 1024 * 1024

type Place = { readonly endpoint: string; readonly bucket: string }

/** Below the prefix that is the folder's name. Connections are let go of when the process ends. */
export function bucketOn(place: Place, prefix: string): Bucket {
  return new Bucket(client(place.endpoint), place, `${prefix}/`)
}

/** A store with its scratch in the folder and its keys below the folder's name. */
export async function openStoreOn(
  place: Place,
  folder: string,
  options: Partial<S3Options> = {},
): Promise<S3Store> {
  const prefix = basename(folder)
  return await S3Store.open({
    bucket: bucketOn(place, prefix),
    scratch: folder,
    buffer: 256 * mebibyte,
    sign: null,
    nameOf: (key) => `s3://${place.bucket}/${prefix}/${key}`,
    lost: (error) => {
      throw error
    },
    ...options,
  })
}
