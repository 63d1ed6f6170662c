import { availableParallelism } from 'node:os'
import { z } from 'zod'
import { accessSettings } from './env/access.ts'
import { clientNames, companionNames, companionSettings } from './env/companion.ts'
import { contradictions, onToken, onWebhook } from './env/contradictions.ts'
import { noticeSettings } from './env/notices.ts'
import { proxySettings } from './env/proxies.ts'
import { s3Settings } from './env/s3.ts'
import { sourceSettings } from './env/sources.ts'
import { traceSettings } from './env/traces.ts'
import {
  optional,
  required,
  shownText,
  textOf,
  type Environment,
  type Setting,
  type ValueOf,
} from './env/setting.ts'
import {
  aDuration,
  aSize,
  bandwidth,
  baseUrl,
  by,
  duration,
  file,
  listen,
  registry,
  schedule,
  size,
  type Listen,
} from './env/texts.ts'

export type { Environment } from './env/setting.ts'
export type { Listen } from './env/texts.ts'

/**
 * The environment is read here, once, and nowhere else (operations, "Settings"). Every setting is one row.
 */
const settings = {
  listen: required(
    'SLIPWAY_LISTEN',
    '127.0.0.1:8080',
    'address:port such as 127.0.0.1:8080 or [::]:8080',
    'address and port of the one listener',
    listen,
  ),
  tlsCert: optional(
    'SLIPWAY_TLS_CERT',
    'a file, together with SLIPWAY_TLS_KEY',
    'certificate chain (PEM) of the listener, which then speaks HTTPS; re-read when it changes',
    file,
  ),
  tlsKey: optional(
    'SLIPWAY_TLS_KEY',
    'a file, together with SLIPWAY_TLS_CERT',
    'private key (PEM) of the certificate; re-read when it changes',
    file,
  ),
  dataDir: required(
    'SLIPWAY_DATA_DIR',
    './data',
    'a folder',
    'the folder of catalog, blobs and staging; locked by one instance',
    file,
  ),
  publicUrl: optional(
    'SLIPWAY_PUBLIC_URL',
    'an http or https URL without query or user-info',
    'what upload URLs begin with; without it, the listener',
    baseUrl,
  ),
  internalUrl: optional(
    'SLIPWAY_INTERNAL_URL',
    'an http or https URL without query or user-info',
    'what in-cluster upload URLs begin with; without it, the public URL',
    baseUrl,
  ),
  registryHost: optional(
    'SLIPWAY_REGISTRY_HOST',
    'a host name with an optional port',
    'what `registryURL` begins with; without it, the host of the public URL',
    registry,
  ),
  storage: required(
    'SLIPWAY_STORAGE',
    'filesystem',
    'filesystem or s3',
    'where the blobs lie',
    by(z.enum(['filesystem', 's3'])),
  ),
  ...s3Settings,
  uploadTtl: required(
    'SLIPWAY_UPLOAD_TTL',
    '15m',
    aDuration,
    'how long an image waits for the first byte of its upload',
    duration,
  ),
  uploadIdle: required(
    'SLIPWAY_UPLOAD_IDLE',
    '15m',
    aDuration,
    'how long a begun upload may stay without a byte',
    duration,
  ),
  maxImageSize: required(
    'SLIPWAY_MAX_IMAGE_SIZE',
    '1Ti',
    aSize,
    'largest file taken in, before and after unpacking',
    size,
  ),
  maxVirtualSize: required(
    'SLIPWAY_MAX_VIRTUAL_SIZE',
    '16Ti',
    aSize,
    'largest disk that a guest may see',
    size,
  ),
  importConcurrency: required(
    'SLIPWAY_IMPORT_CONCURRENCY',
    String(2 * availableParallelism()),
    'a whole number from 1 to 1000',
    'imports at the same time; the rest waits in fair order',
    by(
      z
        .string()
        .regex(/^\d{1,4}$/)
        .transform(Number)
        .pipe(z.int().min(1).max(1000)),
    ),
  ),
  importBandwidth: optional(
    'SLIPWAY_IMPORT_BANDWIDTH',
    'bytes a second such as 500Ki or 100Mi, at least 1Ki',
    'bytes a second that all imports together take from the network',
    bandwidth,
  ),
  importRetryFor: required(
    'SLIPWAY_IMPORT_RETRY_FOR',
    '30m',
    aDuration,
    'how long an import is tried again after transient errors without getting on',
    duration,
  ),
  storageLimit: optional(
    'SLIPWAY_STORAGE_LIMIT',
    aSize,
    'bytes of all blobs; what would go beyond is refused with 507',
    size,
  ),
  scrubRate: required(
    'SLIPWAY_SCRUB_RATE',
    '64Mi',
    'bytes a second such as 500Ki or 100Mi, at least 1Ki',
    'bytes a second that a scheduled scrub reads; one on demand is not limited',
    bandwidth,
  ),
  scrubSchedule: required(
    'SLIPWAY_SCRUB_SCHEDULE',
    'weekly',
    'weekly, daily, never, or a duration such as 12h or 7d',
    'how long after a scrub the next one begins: weekly, daily, never or a duration',
    schedule,
  ),
  ...sourceSettings,
  ...proxySettings,
  ...accessSettings,
  ...noticeSettings,
  ...companionSettings,
  ...traceSettings,
  logLevel: required(
    'SLIPWAY_LOG_LEVEL',
    'info',
    'trace, debug, info, warn, error, fatal or silent',
    'the least level that is logged',
    by(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])),
  ),
  logFormat: optional(
    'SLIPWAY_LOG_FORMAT',
    'json or pretty',
    'without it, `pretty` on a terminal, `json` elsewhere',
    by(z.enum(['json', 'pretty'])),
  ),
} as const

type Rows = typeof settings
export type Settings = { readonly [Name in keyof Rows]: ValueOf<Rows[Name]> }

export type CompanionSettings = Pick<Settings, (typeof companionNames)[number]>
export type ClientSettings = Pick<Settings, (typeof clientNames)[number]>

export type Reading<Read = Settings> =
  | { readonly settings: Read; readonly problems: null }
  | { readonly settings: null; readonly problems: readonly string[] }

/** Reads all settings; every problem is one line that names the variable, its value and what is allowed. */
export function readSettings(environment: Environment): Reading {
  const { values, problems } = readRows(environment, settings)
  problems.push(...together(environment))
  return isComplete(values, problems)
    ? { settings: values, problems: null }
    : { settings: null, problems }
}

/** As `readSettings`, for `slipway controller`. */
export function readCompanionSettings(environment: Environment): Reading<CompanionSettings> {
  return readNamed(environment, companionNames, [onToken, onWebhook])
}

/** As `readSettings`, for commands that only ask a service. */
export function readClientSettings(environment: Environment): Reading<ClientSettings> {
  return readNamed(environment, clientNames, [onToken])
}

/** What is not named cannot hinder. @param rules that hold for what is set together */
function readNamed<Name extends keyof Rows>(
  environment: Environment,
  names: readonly Name[],
  rules: readonly (typeof onToken)[],
): Reading<Pick<Settings, Name>> {
  const rows = Object.fromEntries(names.map((name) => [name, settings[name]]))
  const { values, problems } = readRows(environment, rows)
  problems.push(...rules.flatMap((rule) => rule((variable) => environment[variable] || undefined)))
  return isNamed(values, names, problems)
    ? { settings: values, problems: null }
    : { settings: null, problems }
}

function readRows(
  environment: Environment,
  rows: { readonly [name: string]: Setting<unknown> },
): { readonly values: object; readonly problems: string[] } {
  const problems: string[] = []
  const read = (row: Setting<unknown>) => {
    const text = textOf(environment, row)
    if (text === null) return null
    const value = row.read(text)
    if (value === undefined) {
      problems.push(`${row.variable} is "${shownText(text, row)}"; allowed: ${row.allowed}`)
    }
    return value ?? null
  }
  const values = Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, read(row)]))
  return { values, problems }
}

function together(environment: Environment): string[] {
  const { variable, fallback, read } = settings.listen
  const text = environment[variable] || fallback || ''
  const given = { ...environment, [variable]: text }
  return contradictions((name) => given[name] || undefined, read(text))
}

/** Every row was read by its own reader, so without problems the values have the rows' types. */
function isComplete(values: object, problems: readonly string[]): values is Settings {
  return problems.length === 0 && Object.keys(settings).every((name) => name in values)
}

function isNamed<Name extends keyof Rows>(
  values: object,
  names: readonly Name[],
  problems: readonly string[],
): values is Pick<Settings, Name> {
  return problems.length === 0 && names.every((name) => name in values)
}

export function hostPort({ host, port }: Listen): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The rows for people: what `slipway config` prints and the README's table says. */
export function describeSettings(environment: Environment) {
  return Object.values(settings).map((row) => {
    const { variable, fallback, meaning, allowed } = row
    const text = textOf(environment, row)
    return { variable, value: text && shownText(text, row), fallback, meaning, allowed }
  })
}
