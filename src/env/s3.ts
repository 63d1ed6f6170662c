import { z } from 'zod'
import { optional, required } from './setting.ts'
import { aSize, baseUrl, by, file, size } from './texts.ts'

const anEndpoint = 'an http or https URL without query or user-info'
const flag = by(z.enum(['true', 'false']).transform((text) => text === 'true'))

/** Servers that keep files take no others. */
const staysBelow = (path: string) => !path.split('/').some((part) => part === '.' || part === '..')

/** Where blobs lie with `SLIPWAY_STORAGE=s3`. Credentials are found as by every program of AWS. */
export const s3Settings = {
  s3Endpoint: optional(
    'SLIPWAY_S3_ENDPOINT',
    anEndpoint,
    'the S3 server; without it, the one of AWS for the region',
    baseUrl,
  ),
  s3Region: required(
    'SLIPWAY_S3_REGION',
    'us-east-1',
    'a region such as eu-central-1',
    'region of the bucket; servers of your own mostly take any',
    by(z.string().regex(/^[a-z0-9-]{1,64}$/i)),
  ),
  s3Bucket: optional(
    'SLIPWAY_S3_BUCKET',
    'a name of 3 to 63 lower-case letters, digits, dots and dashes',
    'the bucket, which has to exist',
    by(z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/)),
  ),
  s3Prefix: optional(
    'SLIPWAY_S3_PREFIX',
    'folders such as images or team/images',
    'what the keys of all objects begin with; another one, another store',
    by(
      z
        .string()
        .regex(/^[\w.-]+(?:\/[\w.-]+)*\/?$/)
        .refine(staysBelow),
    ),
  ),
  s3ForcePathStyle: optional(
    'SLIPWAY_S3_FORCE_PATH_STYLE',
    'true or false',
    'whether the bucket stands in the path, not in the host name; without it, where an endpoint is given',
    flag,
  ),
  s3Redirect: required(
    'SLIPWAY_S3_REDIRECT',
    'auto',
    'auto, always or never',
    'whether pulls are sent to the object store; `auto`: where clients reach it, which is AWS or `SLIPWAY_S3_PUBLIC_ENDPOINT`',
    by(z.enum(['auto', 'always', 'never'])),
  ),
  s3PublicEndpoint: optional(
    'SLIPWAY_S3_PUBLIC_ENDPOINT',
    anEndpoint,
    'where clients reach the S3 server; without it, as this service does',
    baseUrl,
  ),
  s3Buffer: required(
    'SLIPWAY_S3_BUFFER',
    '256Mi',
    aSize,
    'memory for parts on their way to S3, shared by all transfers',
    size,
  ),
  scratchDir: optional(
    'SLIPWAY_SCRATCH_DIR',
    'a folder',
    'where bytes are put aside that cannot go to S3 yet; without it, in the data folder',
    file,
  ),
} as const
