import { join } from 'node:path'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { Settings } from '../../env.ts'
import { Bug } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { S3Metrics } from '../../metrics/s3.ts'
import { Bucket } from './bucket.ts'
import { connect } from './connection.ts'
import { count } from './counted.ts'
import { S3Store } from './store.ts'

type S3Settings = Pick<
  Settings,
  | 'dataDir'
  | 'scratchDir'
  | 's3Endpoint'
  | 's3PublicEndpoint'
  | 's3Region'
  | 's3Bucket'
  | 's3Prefix'
  | 's3ForcePathStyle'
  | 's3Redirect'
  | 's3Buffer'
>

/** @throws Outage STORAGE_UNAVAILABLE when the bucket is not there or not for us */
export async function openS3Store(
  settings: S3Settings,
  log: Log,
  metrics: S3Metrics | null = null,
): Promise<S3Store> {
  const { s3Bucket: bucket, s3Endpoint: endpoint, s3Region: region } = settings
  if (bucket === null) throw new Bug('the settings name no bucket')
  const prefix = settings.s3Prefix === null ? '' : `${settings.s3Prefix.replace(/\/$/, '')}/`
  const at = { bucket, endpoint: endpoint ?? `AWS in ${region}` }
  const client = clientFor(settings, endpoint)
  if (metrics) count(client, metrics)
  return await S3Store.open({
    bucket: new Bucket(client, at, prefix),
    scratch: settings.scratchDir ?? join(settings.dataDir, 'scratch'),
    buffer: settings.s3Buffer,
    sign: signer(settings, bucket, prefix),
    nameOf: (key) => `s3://${bucket}/${prefix}${key}`,
    lost: (err, key) => log.warn({ err, key }, 'an object could not be removed; it is a stray now'),
  })
}

function clientFor(settings: S3Settings, endpoint: string | null): S3Client {
  const { s3Region: region, s3ForcePathStyle } = settings
  // Few servers of one's own have a host name for each bucket.
  const forcePathStyle = s3ForcePathStyle ?? endpoint !== null
  return connect({ endpoint, region, forcePathStyle })
}

/** Null where clients are not to be sent to the object store, or cannot reach it as far as is known. */
function signer(settings: S3Settings, bucket: string, prefix: string) {
  const { s3Redirect, s3Endpoint, s3PublicEndpoint } = settings
  const isReached = s3PublicEndpoint !== null || s3Endpoint === null
  if (s3Redirect === 'never' || (s3Redirect === 'auto' && !isReached)) return null
  const client = clientFor(settings, s3PublicEndpoint ?? s3Endpoint)
  return async (key: string, lifetime: number) => {
    const command = new GetObjectCommand({ Bucket: bucket, Key: prefix + key })
    const expiresIn = Math.min(Math.max(1, Math.ceil(lifetime / 1000)), longest)
    return new URL(await getSignedUrl(client, command, { expiresIn }))
  }
}

/** A signature of version 4 holds for a week at most, in seconds. */
const longest = 7 * 86_400
