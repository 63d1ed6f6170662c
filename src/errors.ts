import { constants } from 'node:os'

/**
 * Every way to fail, in one table. An error is raised where it is understood and rendered in three places: as
 * problem+json, as the OCI envelope and as an image's condition. `message` is shown to the caller, so it names the thing
 * and the way out; `cause` is logged and never shown.
 */
type Row = {
  readonly kind: 'refusal' | 'flaw' | 'outage' | 'bug'
  /** HTTP status of the answer. */
  readonly status: number
  /** Code in the registry's error envelope (OCI distribution-spec, "Error Codes"). */
  readonly oci: string
  /** Whether an import that met it is tried again. */
  readonly retry: boolean
}

const refusal = (status: number, oci = 'UNSUPPORTED') =>
  ({ kind: 'refusal', status, oci, retry: false }) as const
const flaw = (status: number) =>
  ({ kind: 'flaw', status, oci: 'UNSUPPORTED', retry: false }) as const
const outage = (status: number, retry: boolean) =>
  ({ kind: 'outage', status, oci: 'UNSUPPORTED', retry }) as const
const bug = () => ({ kind: 'bug', status: 500, oci: 'UNSUPPORTED', retry: false }) as const

const table = {
  INVALID_JSON: refusal(400),
  INVALID_REQUEST: refusal(422),
  INVALID_NAME: refusal(422, 'NAME_INVALID'),
  UNSUPPORTED_MEDIA_TYPE: refusal(415),
  UNSUPPORTED_SOURCE: refusal(422),
  SPEC_DIFFERS: refusal(409),
  OWNER_DIFFERS: refusal(409),
  UID_DIFFERS: refusal(409),
  BEING_DELETED: refusal(409),
  NOT_RETRYABLE: refusal(409),
  SECRETS_ERASED: refusal(409),
  NOT_READY: refusal(409),
  NOT_FOUND: refusal(404),
  METHOD_NOT_ALLOWED: refusal(405),
  IMAGE_NOT_FOUND: refusal(404),
  HOST_FORBIDDEN: refusal(403, 'DENIED'),
  RANGE_NOT_SATISFIABLE: refusal(416, 'BLOB_UPLOAD_INVALID'),
  REQUEST_TIMEOUT: refusal(408),
  CONTENT_TOO_LARGE: refusal(413),
  TOO_LARGE: refusal(413, 'SIZE_INVALID'),
  UPLOAD_UNKNOWN: refusal(404),
  UPLOAD_GONE: refusal(410),
  UPLOAD_BUSY: refusal(423),
  UPLOAD_EMPTY: refusal(422),
  UPLOAD_CONFLICT: refusal(409),
  UPLOAD_TIMEOUT: refusal(410),
  PART_MISMATCH: refusal(400),
  DENIED: refusal(403, 'DENIED'),
  NAME_INVALID: refusal(400, 'NAME_INVALID'),
  NAME_UNKNOWN: refusal(404, 'NAME_UNKNOWN'),
  DIGEST_INVALID: refusal(400, 'DIGEST_INVALID'),
  BLOB_UNKNOWN: refusal(404, 'BLOB_UNKNOWN'),
  MANIFEST_UNKNOWN: refusal(404, 'MANIFEST_UNKNOWN'),
  UNSUPPORTED: refusal(405, 'UNSUPPORTED'),
  BLOB_UPLOAD_UNKNOWN: refusal(404, 'BLOB_UPLOAD_UNKNOWN'),
  BLOB_UPLOAD_INVALID: refusal(400, 'BLOB_UPLOAD_INVALID'),
  UPLOAD_OUT_OF_ORDER: refusal(416, 'BLOB_UPLOAD_INVALID'),
  MANIFEST_INVALID: refusal(400, 'MANIFEST_INVALID'),
  MANIFEST_TOO_LARGE: refusal(413, 'SIZE_INVALID'),
  MANIFEST_BLOB_UNKNOWN: refusal(404, 'MANIFEST_BLOB_UNKNOWN'),
  SIZE_INVALID: refusal(400, 'SIZE_INVALID'),
  IN_USE: refusal(405),
  FOLDER_IN_USE: refusal(409),
  PAGE_INVALID: refusal(400),
  UNAUTHORIZED: refusal(401, 'UNAUTHORIZED'),
  TOO_MANY_REQUESTS: refusal(429, 'TOOMANYREQUESTS'),
  SOURCE_FORBIDDEN: refusal(422),
  SOURCE_REFUSED: refusal(422),
  CLUSTER_CONFLICT: refusal(409),
  CLUSTER_EXISTS: refusal(409),
  CLUSTER_NOT_FOUND: refusal(404),
  CLUSTER_EXPIRED: refusal(410),
  CLUSTER_REFUSED: refusal(403),

  CHECKSUM_MISMATCH: flaw(400),
  SIZE_MISMATCH: flaw(422),
  EXTERNAL_REFERENCE: flaw(422),
  UNSUPPORTED_FORMAT: flaw(422),
  ENCRYPTED_IMAGE: flaw(422),
  AMBIGUOUS_FORMAT: flaw(422),
  NOT_AN_IMAGE: flaw(422),
  INVALID_HEADER: flaw(422),
  VIRTUAL_SIZE_LIMIT: flaw(422),
  DECOMPRESSION_LIMIT: flaw(422),
  CORRUPT_ARCHIVE: flaw(422),
  UNSAFE_ARCHIVE: flaw(422),
  INVALID_OCI: flaw(422),

  SOURCE_UNAVAILABLE: outage(502, true),
  SOURCE_NOT_READY: outage(409, true),
  STORAGE_FULL: outage(507, true),
  STORAGE_UNAVAILABLE: outage(503, true),
  UPLOAD_INTERRUPTED: outage(400, false),
  PUSH_INTERRUPTED: { ...outage(400, false), oci: 'BLOB_UPLOAD_INVALID' },
  SHUTTING_DOWN: outage(503, true),
  SERVICE_UNREACHABLE: outage(503, false),
  CLUSTER_UNAVAILABLE: outage(503, true),
  CLUSTER_UNAUTHENTICATED: outage(503, true),
  CLUSTER_TOO_LARGE: outage(503, true),

  INTERNAL: bug(),
} as const satisfies Record<string, Row>

export type Code = keyof typeof table
type CodeOf<Kind extends Row['kind']> = {
  [C in Code]: (typeof table)[C]['kind'] extends Kind ? C : never
}[Code]

export type Detail = {
  readonly cause?: unknown
  /** Single fields of a body that were refused, for `errors` in problem+json. */
  readonly fields?: readonly { readonly path: string; readonly message: string }[]
  /** Earliest time of a further attempt, in milliseconds from now (Retry-After). */
  readonly retryAfter?: number
}

/** What all four classes share. Not thrown itself. */
export abstract class Failure extends Error {
  readonly code: Code
  readonly fields: readonly { readonly path: string; readonly message: string }[]
  readonly retryAfter: number | null

  constructor(code: Code, message: string, detail: Detail = {}) {
    super(message, detail.cause === undefined ? {} : { cause: detail.cause })
    this.name = new.target.name
    this.code = code
    this.fields = detail.fields ?? []
    this.retryAfter = detail.retryAfter ?? null
  }

  get row(): Row {
    return table[this.code]
  }
}

/** The caller asked for something that cannot be done as asked, and can fix it. */
export class Refusal extends Failure {
  constructor(code: CodeOf<'refusal'>, message: string, detail?: Detail) {
    super(code, message, detail)
  }
}

/** The bytes are bad: another attempt with the same bytes fails in the same way. */
export class Flaw extends Failure {
  constructor(code: CodeOf<'flaw'>, message: string, detail?: Detail) {
    super(code, message, detail)
  }
}

/** Something this service depends on failed; it may work later. */
export class Outage extends Failure {
  constructor(code: CodeOf<'outage'>, message: string, detail?: Detail) {
    super(code, message, detail)
  }
}

/** This program is wrong. The message shown says only that; the rest is in the log. */
export class Bug extends Failure {
  constructor(message: string, cause?: unknown) {
    super('INTERNAL', message, cause === undefined ? {} : { cause })
  }
}

/** The table for people; what only the companion meets is not in it. */
export function describeFailures() {
  return Object.entries(table)
    .filter(([code]) => !code.startsWith('CLUSTER_'))
    .map(([code, { kind, status }]) => ({ code, kind, status }))
}

const rows: ReadonlyMap<string, Row> = new Map(Object.entries(table))

/** The failure that another process told by its code (problem+json); null for a code that is none of ours, or our own mistake. */
export function toldFailure(code: string, message: string, detail: Detail = {}): Failure | null {
  if (isOf('refusal', code)) return new Refusal(code, message, detail)
  if (isOf('flaw', code)) return new Flaw(code, message, detail)
  if (isOf('outage', code)) return new Outage(code, message, detail)
  return null
}

function isOf<Kind extends Row['kind']>(kind: Kind, code: string): code is CodeOf<Kind> {
  return rows.get(code)?.kind === kind
}

/** Any thrown value as a Failure: what is none of the four classes is a bug. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof SuppressedError) return firstOf(error)
  const storage = storageFailure(error)
  if (storage) return storage
  return new Bug('something went wrong inside the service; the log has the details', error)
}

/** What went wrong first counts; that something could not be closed or removed after it is in the log. */
function firstOf(error: SuppressedError): Failure {
  const { code, message, fields, retryAfter } = asFailure(error.suppressed)
  const detail = { cause: error, fields, ...(retryAfter !== null && { retryAfter }) }
  return toldFailure(code, message, detail) ?? new Bug(message, error)
}

const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'SQLITE_FULL'])
const brokenCodes =
  /^(?:EIO|EROFS|EMFILE|ENFILE|ESTALE|EUCLEAN|SQLITE_IOERR.*|SQLITE_READONLY.*|SQLITE_CANTOPEN.*|SQLITE_BUSY.*)$/

function storageFailure(cause: unknown): Outage | null {
  const code = errno(cause) ?? ''
  if (fullCodes.has(code)) {
    return new Outage('STORAGE_FULL', 'the storage is full; free space or enlarge it', { cause })
  }
  if (/^SQLITE_(?:CORRUPT|NOTADB)/.test(code)) {
    return new Outage(
      'STORAGE_UNAVAILABLE',
      `the catalog is damaged (${code}); stop Slipway and run "slipway rebuild", or restore a backup`,
      { cause },
    )
  }
  if (!brokenCodes.test(code)) return null
  return new Outage(
    'STORAGE_UNAVAILABLE',
    `the storage cannot be read or written (${code}); try again, and look at the disk`,
    { cause },
  )
}

/** Errors of disks that libuv has no name for, by their number. The last is Linux's own, of a damaged filesystem. */
const unnamed = new Map([
  [constants.errno.EDQUOT, 'EDQUOT'],
  [constants.errno.ESTALE, 'ESTALE'],
  [117, 'EUCLEAN'],
])

/** The system error name (`ENOENT`, `ECONNRESET`) of a thrown value, null when it has none. */
export function errno(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null
  const { code } = error
  if (typeof code !== 'string') return null
  const number = /^Unknown system error -(\d+)$/.exec(code)?.[1]
  return unnamed.get(Number(number)) ?? code
}
