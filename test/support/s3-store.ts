import { truncate } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { digestOf } from '../../src/image/digest.ts'
import { Bucket } from '../../src/store/s3/bucket.ts'
import { connect } from '../../src/store/s3/connection.ts'
import { S3Store, type S3Options } from '../../src/store/s3/store.ts'
import type { Store } from '../../src/store/store.ts'
import { client, s3Credentials, type S3 } from './s3.ts'
import type { StoreKind } from './store-suite.ts'

const mebibyte = 1024 * 1024

type Place = { readonly endpoint: string; readonly bucket: string }

/** Below the prefix that is the folder's name. Connections are let go of when the process ends. */
export function bucketOn(place: Place, prefix: string): Bucket {
  const s3 = connect({
    endpoint: place.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: s3Credentials,
  })
  return new Bucket(s3, place, `${prefix}/`)
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

/** URLs at which anybody reads objects below a prefix. */
export function signOn({ endpoint, bucket }: Place, prefix: string) {
  return async (key: string) => {
    const command = new GetObjectCommand({ Bucket: bucket, Key: `${prefix}/${key}` })
    return new URL(await getSignedUrl(client(endpoint), command))
  }
}

/** S3 as the contract suite needs it: the folder's name is the prefix, so that the same folder is the same store. */
export function s3Kind(
  s3: () => Pick<S3, 'endpoint' | 'bucket' | 'folder'>,
): Omit<StoreKind, 'scale'> {
  return {
    name: 'S3',
    open: (folder) => openStoreOn(s3(), folder),
    damage: async (folder, digest) => {
      const [algorithm = '', hex = ''] = digest.split(':')
      await truncate(join(s3().folder, basename(folder), 'blobs', algorithm, hex), 10)
    },
    knowsRoom: false,
  }
}

/** Stores a blob whose size is told. */
export async function put(store: Store, bytes: Buffer): Promise<void> {
  await using staging = await store.stage({ size: bytes.length })
  await staging.append([bytes], new AbortController().signal)
  await staging.publish(digestOf(bytes))
}
