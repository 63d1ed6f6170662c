import { z } from 'zod'
import { checksumLengths, type ChecksumAlgorithm } from './digest.ts'
import { dockerConfigProblem } from './docker-config.ts'
import { nameProblem } from './name.ts'
import { referenceProblem } from './reference.ts'

/**
 * What a user says about where an image comes from (image-lifecycle, "What a user says"). One schema validates requests,
 * generates the OpenAPI document and gives the types.
 */

const hex = (algorithm: ChecksumAlgorithm) => {
  const length = checksumLengths[algorithm]
  return z
    .string()
    .regex(
      new RegExp(`^[0-9a-fA-F]{${length}}$`),
      `a ${algorithm} checksum is ${length} hex characters`,
    )
    .overwrite((text) => text.toLowerCase())
    .optional()
    .meta({ description: `${length} hex characters`, maxLength: length })
}

export const checksumSchema = z
  .strictObject({
    md5: hex('md5'),
    sha1: hex('sha1'),
    sha256: hex('sha256'),
    sha512: hex('sha512'),
  })
  .meta({ description: 'Checksums of the source bytes; all that are given must match' })

/** PEM over base64; a chain of more than 256 KiB is no chain. */
const caBundle = z
  .string()
  .max(262_144)
  .regex(/^[A-Za-z0-9+/\s]+={0,2}\s*$/, 'must be base64 of a PEM chain')
  .refine(
    (text) => Buffer.from(text, 'base64').includes('-----BEGIN CERTIFICATE-----'),
    'must be base64 of a PEM chain',
  )
  .meta({
    description: 'Certificates that are trusted for this source alone: base64 of a PEM chain',
  })

const insecureSkipTLSVerify = z
  .boolean()
  .optional()
  .meta({ description: 'Takes whatever certificate the source shows' })

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
/**
 * RFC 9110: the connection's own headers, and conditions; a user's value there would change how the message is framed or
 * routed, or what a 304 is about.
 */
const reserved =
  /^(?:host|content-length|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|range|if-.*|accept-encoding)$/i

const headers = z
  .record(
    z
      .string()
      .regex(headerName, 'is no header name')
      .refine((name) => !reserved.test(name), 'is set by Slipway itself'),
    z
      .string()
      .max(8192)
      .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'holds a line break or a control character'),
  )
  .refine((all) => Object.keys(all).length <= 32, 'at most 32 headers')

const httpAuth = z
  .strictObject({
    basic: z
      .strictObject({ username: z.string().max(1024), password: z.string().max(8192) })
      .optional(),
    bearer: z
      .string()
      .regex(/^[\x21-\x7e]{1,8192}$/, 'is no bearer token')
      .optional(),
    headers: headers.optional(),
  })
  .refine(({ basic, bearer }) => !basic || !bearer, 'give basic or bearer, not both')
  .meta({ description: 'Credentials for the source; never shown again' })

export const httpSection = z.strictObject({
  url: z.string().max(8192).refine(isHttpUrl, 'must be an http or https URL').meta({
    description: 'Where the image is: http or https',
    format: 'uri',
    example: 'https://example.com/ubuntu.img',
  }),
  checksum: checksumSchema.optional(),
  caBundle: caBundle.optional(),
  auth: httpAuth.optional(),
  insecureSkipTLSVerify,
})

export const containerImageSection = z.strictObject({
  image: z.string().max(1024).superRefine(unless(referenceProblem)).meta({
    description: 'The container image that holds the disk under /disk',
    example: 'registry.example.com/team/image:tag',
  }),
  caBundle: caBundle.optional(),
  auth: z
    .union([
      z.strictObject({ username: z.string().max(1024), password: z.string().max(8192) }),
      z.strictObject({
        '.dockerconfigjson': z.string().max(1_048_576).superRefine(unless(dockerConfigProblem)),
      }),
    ])
    .optional(),
  platform: z
    .string()
    .max(100)
    .regex(/^[a-z0-9]+\/[a-z0-9]+(?:\/[a-z0-9]+)?$/, 'must look like linux/amd64')
    .optional()
    .meta({
      description:
        'The platform that the image must be for; without it, linux/amd64 of an image for several, and any of an image for one',
    }),
  insecureSkipTLSVerify,
})

export const uploadSection = z.strictObject({ checksum: checksumSchema.optional() })

export const objectRefSection = z.strictObject({
  kind: z.literal('ClusterVirtualImage'),
  name: z.string().superRefine(unless(nameProblem)),
})

/** The one section that each type has. */
export const sections = {
  HTTP: 'http',
  ContainerImage: 'containerImage',
  ObjectRef: 'objectRef',
  Upload: 'upload',
} as const
export type SourceType = keyof typeof sections

export const dataSourceSchema = z
  .strictObject({
    type: z.enum(['HTTP', 'ContainerImage', 'ObjectRef', 'Upload']),
    http: httpSection.optional(),
    containerImage: containerImageSection.optional(),
    upload: uploadSection.optional(),
    objectRef: objectRefSection.optional(),
  })
  .superRefine((source, context) => {
    const wanted = sections[source.type]
    if (source[wanted] === undefined && source.type !== 'Upload') {
      context.addIssue({
        code: 'custom',
        path: [wanted],
        message: `${source.type} requires ${wanted}`,
      })
    }
    for (const section of Object.values(sections)) {
      if (section === wanted || source[section] === undefined) continue
      context.addIssue({
        code: 'custom',
        path: [section],
        message: `does not belong to type ${source.type}; give exactly one section, ${wanted}`,
      })
    }
  })
  .meta({ id: 'DataSource' })

export type DataSource = z.output<typeof dataSourceSchema>
export type HttpSection = z.output<typeof httpSection>
export type ContainerImageSection = z.output<typeof containerImageSection>
export type Checksums = z.output<typeof checksumSchema>

/** Refuses a text that there is a problem with, in the problem's words. */
function unless(problemOf: (text: string) => string | null) {
  return (text: string, context: z.core.$RefinementCtx): void => {
    const problem = problemOf(text)
    if (problem !== null) context.addIssue({ code: 'custom', message: problem })
  }
}

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text)
  return (
    url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== ''
  )
}

/** The checksums that a data source asks for; empty when it asks for none. */
export function checksumsOf(source: DataSource): Checksums {
  return source.http?.checksum ?? source.upload?.checksum ?? {}
}
