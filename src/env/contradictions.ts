import { partSizeOf } from '../image/part-plan.ts'
import { formatSize, parseSize } from '../image/size.ts'
import { s3Settings } from './s3.ts'
import type { Listen } from './texts.ts'

const loopback = /^(?:127\.\d+\.\d+\.\d+|::1|localhost)$/
const everyone = 'everyone who reaches the listener may do everything'
const credentials = ['SLIPWAY_TOKENS_FILE', 'SLIPWAY_HTPASSWD_FILE'] as const

/**
 * Values that are sound alone and not together.
 * @param text of a variable, undefined when it is not given
 * @param address where the listener will be, undefined when that is no address
 */
export function contradictions(
  text: (variable: string) => string | undefined,
  address: Listen | undefined,
): string[] {
  return [...onAccess(text, address), ...onToken(text), ...onTls(text), ...onS3(text)]
}

function onAccess(
  text: (variable: string) => string | undefined,
  address: Listen | undefined,
): string[] {
  const auth = text('SLIPWAY_AUTH')
  if (auth === 'kubernetes') return []
  const files = credentials.filter((variable) => text(variable) !== undefined)
  if (auth !== undefined) {
    const idle = [...files, ...idleWithout(text)]
    return idle.map(
      (variable) =>
        `${variable} is "${text(variable)}", but SLIPWAY_AUTH is "${auth}", with which ${everyone}; set only one of them (SLIPWAY_AUTH= is as if it were not set)`,
    )
  }
  if (files.length > 0) return []
  return [...exposed(text('SLIPWAY_LISTEN'), address), ...lonely(text)]
}

/** What would be left without effect where there are no credentials, while somebody counts on it. */
function idleWithout(text: (variable: string) => string | undefined): string[] {
  return text('SLIPWAY_ACCESS_FILE') === undefined ? [] : ['SLIPWAY_ACCESS_FILE']
}

function exposed(listen: string | undefined, address: Listen | undefined): string[] {
  if (!address || loopback.test(address.host)) return []
  return [
    `SLIPWAY_LISTEN is "${listen}", but no credentials are configured; allowed: an address of 127.0.0.0/8, or any with ${credentials.join(' or ')} or SLIPWAY_AUTH=kubernetes, or with SLIPWAY_AUTH=none if ${everyone}`,
  ]
}

function lonely(text: (variable: string) => string | undefined): string[] {
  return idleWithout(text).map(
    (variable) =>
      `${variable} is "${text(variable)}", but no credentials are configured, without which ${everyone}; set ${credentials.join(' or ')}, or SLIPWAY_AUTH=kubernetes, too`,
  )
}

/** Of what commands and the companion show the service. */
export function onToken(text: (variable: string) => string | undefined): string[] {
  const path = text('SLIPWAY_TOKEN_FILE')
  if (path === undefined || text('SLIPWAY_TOKEN') === undefined) return []
  return [`SLIPWAY_TOKEN_FILE is "${path}", but SLIPWAY_TOKEN is set, too; set only one of them`]
}

/** Of the companion. */
export function onWebhook(text: (variable: string) => string | undefined): string[] {
  const folder = text('SLIPWAY_WEBHOOK_CERT')
  if (folder === undefined || text('SLIPWAY_WEBHOOK_LISTEN') !== undefined) return []
  return [
    `SLIPWAY_WEBHOOK_CERT is "${folder}", but SLIPWAY_WEBHOOK_LISTEN is not set, without which there is no webhook; set it, too`,
  ]
}

function onTls(text: (variable: string) => string | undefined): string[] {
  const pair = ['SLIPWAY_TLS_CERT', 'SLIPWAY_TLS_KEY'] as const
  const given = pair.filter((variable) => text(variable) !== undefined)
  if (given.length !== 1) return []
  const [variable = ''] = given
  const missing = pair.find((each) => each !== variable) ?? ''
  return [`${variable} is "${text(variable)}", but ${missing} is not set; set both or none of them`]
}

/** How a server is spoken to and the scratch folder hold for the copy of a store, too. */
const s3Variables = [s3Settings.s3Bucket, s3Settings.s3Prefix, s3Settings.s3Redirect].map(
  ({ variable }) => variable,
)

function onS3(text: (variable: string) => string | undefined): string[] {
  const given = s3Variables.filter((variable) => text(variable) !== undefined)
  if (text('SLIPWAY_STORAGE') !== 's3') {
    return given.map(
      (variable) =>
        `${variable} is "${text(variable)}", but SLIPWAY_STORAGE is not s3, without which it has no effect; set SLIPWAY_STORAGE=s3 or leave it out`,
    )
  }
  if (text('SLIPWAY_S3_BUCKET') === undefined) {
    return ['SLIPWAY_STORAGE is "s3", but SLIPWAY_S3_BUCKET is not set; name the bucket']
  }
  return tooLittle(text)
}

/** Parts of the largest image have to fit, one that is filled and one on its way. */
function tooLittle(text: (variable: string) => string | undefined): string[] {
  const buffer = parseSize(text('SLIPWAY_S3_BUFFER') ?? '256Mi')
  const most = parseSize(text('SLIPWAY_MAX_IMAGE_SIZE') ?? '1Ti')
  if (buffer === null || most === null) return []
  const part = partSizeOf(most)
  if (buffer >= 2 * part) return []
  return [
    `SLIPWAY_S3_BUFFER is "${text('SLIPWAY_S3_BUFFER') ?? '256Mi'}", but two parts of SLIPWAY_MAX_IMAGE_SIZE take ${formatSize(2 * part)}; allowed: at least that much, or smaller images`,
  ]
}
