import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import { Retries } from './retries.ts'

export type Connection = {
  /** Null for the provider's own. */
  readonly endpoint: string | null
  readonly region: string
  readonly forcePathStyle: boolean
  /** Those that the SDK finds by itself, if none are given. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

const connectWithin = 10_000
/** Milliseconds without a byte in either direction, the time that a server takes to complete an upload among it. */
const idleWithin = 60_000
/** Pulls of slow readers hold one each, for as long as they take. */
const connections = 1024

/** The SDK looks for credentials in the environment, in profiles, and asks for roles of the instance or the pod. */
export function connect(connection: Connection): S3Client {
  const { endpoint, region, forcePathStyle, credentials } = connection
  const pool = { keepAlive: true, maxSockets: connections }
  const client = new S3Client({
    region,
    forcePathStyle,
    ...(endpoint !== null && { endpoint }),
    ...(credentials && { credentials }),
    retryStrategy: new Retries(),
    // Sums are sent as plain headers: trailers and the encoding that they need are not known everywhere.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectWithin,
      socketTimeout: idleWithin,
      httpAgent: new HttpAgent(pool),
      httpsAgent: new HttpsAgent(pool),
    },
  })
  if (endpoint === null || endpoint.startsWith('https:')) leaveBodiesUnsigned(client)
  return client
}

/** TLS and the sum of each part keep them whole; a further sha-256 would cost the event loop 10 ms for 16 MiB. */
export function leaveBodiesUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      if (hasHeaders(args.request)) {
        args.request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
      }
      return await next(args)
    },
    { step: 'build', name: 'leaveBodiesUnsigned' },
  )
}

type Headed = { readonly headers: { [name: string]: string } }

function hasHeaders(request: unknown): request is Headed {
  return typeof request === 'object' && request !== null && 'headers' in request
}
