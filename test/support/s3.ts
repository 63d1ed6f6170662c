import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { mkdir } from 'node:fs/promises'
import { freePort, Server } from '../bench/peers/server.ts'
import { needsTool, tool } from './clients.ts'
import type { Variables } from './service.ts'
import { temporaryFolder } from './temporary.ts'

/** Use as `describe.skipIf(!needsS3())`. */
export const needsS3 = () => needsTool('versitygw')

/** A name of the tests' own: nothing else is allowed in. */
export const s3Credentials = { accessKeyId: 'slipway-test', secretAccessKey: 'not-a-secret' }

/** A bucket of this test alone on a real S3 server, which is a process of its own and goes with the scope. */
export type S3 = AsyncDisposable & {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string
  readonly bucket: string
  /** Where the bucket's objects lie as files by their keys, for tests that damage them. */
  readonly folder: string
  /** What a service is given to keep its blobs there; another prefix, another store. */
  variables(prefix?: string): Variables
  /** A further bucket; its objects lie beside `folder`. */
  createBucket(name: string): Promise<void>
}

/**
 * A versitygw on a free port of loopback and a folder that goes with it.
 * @param within where that folder is made; with those of other tests unless said otherwise
 */
export async function startS3(within?: string): Promise<S3> {
  await using undo = new AsyncDisposableStack()
  const root = undo.use(await temporaryFolder(within))
  const [data, sidecar] = [join(root.path, 'data'), join(root.path, 'sidecar')]
  await Promise.all([mkdir(data), mkdir(sidecar)])
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  // What it has to keep about an object lies beside the data: not every disk has extended attributes.
  const store = ['posix', '--sidecar', sidecar, data]
  const listen = ['--port', `127.0.0.1:${port}`, '--health', '/health', '--keep-alive', '--quiet']
  undo.use(
    await Server.start(
      {
        program: tool('versitygw'),
        args: [...listen, ...store],
        env: {
          ROOT_ACCESS_KEY: s3Credentials.accessKeyId,
          ROOT_SECRET_KEY: s3Credentials.secretAccessKey,
        },
        ready: `${endpoint}/health`,
      },
      AbortSignal.timeout(20_000),
    ),
  )
  const s3 = client(endpoint)
  undo.defer(() => s3.destroy())
  const createBucket = async (name: string) => {
    await s3.send(new CreateBucketCommand({ Bucket: name }))
  }
  const bucket = 'images'
  await createBucket(bucket)
  const held = undo.move()
  return {
    endpoint,
    bucket,
    folder: join(data, bucket),
    variables: (prefix = '') => s3Variables(endpoint, bucket, prefix),
    createBucket,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** What a service is given for a bucket at `endpoint`, which may be a proxy's. */
export function s3Variables(endpoint: string, bucket: string, prefix = ''): Variables {
  return {
    SLIPWAY_STORAGE: 's3',
    SLIPWAY_S3_ENDPOINT: endpoint,
    SLIPWAY_S3_BUCKET: bucket,
    SLIPWAY_S3_PREFIX: prefix,
    SLIPWAY_S3_FORCE_PATH_STYLE: 'true',
    AWS_ACCESS_KEY_ID: s3Credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3Credentials.secretAccessKey,
  }
}

/** A client of the tests' own, to look behind the store's back. */
export function client(endpoint: string): S3Client {
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: s3Credentials,
  })
}
