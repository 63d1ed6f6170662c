import type { ColumnType, Generated } from 'kysely'
import type { DigestAlgorithm } from '../image/digest.ts'
import type { Format } from '../image/format.ts'
import type { Phase, ReadyReason, SourceReason } from '../image/phase.ts'

/**
 * The catalog's tables as the newest file in `migrations/` leaves them. Times are milliseconds since 1970, JSON is text,
 * truth values are 0 and 1: what SQLite and PostgreSQL both keep without loss.
 */
export interface Schema {
  images: ImageTable
  blobs: BlobTable
  leases: LeaseTable
  manifests: ManifestTable
  tags: TagTable
  blob_references: ReferenceTable
  push_sessions: PushSessionTable
  uploads: UploadTable
  jobs: JobTable
  events: EventTable
  maintenance_runs: MaintenanceTable
  facts: FactTable
  record_debts: RecordDebtTable
  notices: NoticeTable
}

/** A column that is written once. */
type Fixed<Value> = ColumnType<Value, Value, never>

export interface ImageTable {
  uid: Fixed<string>
  name: Fixed<string>
  generation: number
  created_at: Fixed<number>
  owner_uid: Fixed<string | null>
  data_source: Fixed<string>
  /** The image that an ObjectRef names. */
  refers_to: Fixed<string | null>
  /** Credentials, sealed with the server's key; gone once the image is Ready or Failed. */
  secrets: Uint8Array | null
  had_secrets: Fixed<number>
  /** Of the URL of an HTTP source, null without one. */
  sealed_query: Uint8Array | null
  /** Stands for the whole URL of an HTTP source, which may hold secrets; null for other sources. */
  url_key: Fixed<string | null>
  /** Grows with every `retry`; part of what an upload token is derived from. */
  attempt: number
  phase: Phase
  ready_reason: ReadyReason
  ready_message: string
  ready_since: number
  source_reason: SourceReason
  source_message: string
  source_since: number
  retries: number
  next_retry_at: number | null
  /** JSON of what was stored (`StoredFacts`), null until Ready. */
  stored: string | null
  format: Format | null
  manifest_digest: string | null
  /** Of the bytes as they came. */
  source_sha256: string | null
}

export interface BlobTable {
  digest: Fixed<string>
  size: Fixed<number>
  state: 'present' | 'deleting'
  created_at: Fixed<number>
  /** What is wrong with its bytes; null for those that nobody has found fault with. */
  damage: ColumnType<string | null, string | null | undefined, string | null>
  /** How often its bytes were put in their place: what was found out about earlier ones is of no use. */
  writes: ColumnType<number, number | undefined, number>
}

/** Keeps a blob that nothing refers to yet. */
export interface LeaseTable {
  digest: Fixed<string>
  holder: Fixed<string>
  expires_at: number
  granted_at: number
  /** Where the blob may be read and used meanwhile; null for a blob that is still being published. */
  repository: string | null
}

export interface ManifestTable {
  repository: Fixed<string>
  digest: Fixed<string>
  media_type: string
  size: number
  created_at: number
  /** The manifest that this one says something about (OCI image-spec, "subject"). */
  subject: string | null
  artifact_type: string | null
  /** JSON, kept for those that have a subject: its descriptor among the referrers shows them. */
  annotations: string | null
}

export interface TagTable {
  repository: Fixed<string>
  name: Fixed<string>
  digest: string
  updated_at: number
}

/** A manifest of a repository needs a blob; its own bytes are one of them. */
export interface ReferenceTable {
  repository: Fixed<string>
  manifest: Fixed<string>
  digest: Fixed<string>
}

/** A blob that a client pushes in several requests; its bytes are staged under the same id. */
export interface PushSessionTable {
  id: Fixed<string>
  repository: Fixed<string>
  algorithm: Fixed<DigestAlgorithm>
  touched_at: number
}

export interface UploadTable {
  /** SHA-256 of the token in hex: the token itself lies nowhere. */
  token_hash: Fixed<string>
  image_uid: Fixed<string>
  attempt: Fixed<number>
  state: 'waiting' | 'receiving' | 'interrupted' | 'finished' | 'expired'
  /** When it fails for want of bytes; null while bytes are arriving. */
  expires_at: number | null
  /** Bytes in all, null while nobody has told. */
  length: number | null
  /** Bytes that are here while none are arriving. */
  offset: number
  /** JSON, as the client has told them; null for none. */
  checksums: string | null
}

/** A reference shares the bytes of another image: nothing crosses a network. */
export const jobKinds = ['import', 'reference'] as const
export type JobKind = (typeof jobKinds)[number]

export interface JobTable {
  image_uid: Fixed<string>
  kind: Fixed<JobKind>
  created_at: Fixed<number>
  run_after: number
  /** No further attempt is begun after this time. */
  retry_until: number | null
  /** The process that works on it, and until when it may be believed to be alive. */
  owner: string | null
  lease_until: number | null
  /** Tenths of a per cent, the highest that was ever shown. */
  progress: number
  version: string | null
  /** Bytes of the source, null when it did not tell. */
  size: number | null
  /** Bytes of the source that were here when the last attempt ended. */
  staged: number
  /** The host that the bytes come from; empty when none do. */
  origin: Fixed<string>
  /** An image of the very bytes that are wanted, which whoever asked for this one may read. */
  known_uid: string | null
}

export interface EventTable {
  seq: Generated<number>
  kind: Fixed<'image' | 'deleted'>
  image_name: Fixed<string>
  image_uid: Fixed<string>
  at: Fixed<number>
}

/** An event on its way to one subscriber. */
export interface NoticeTable {
  seq: Generated<number>
  /** Of the event, the same for all its subscribers. */
  id: Fixed<string>
  subscriber: Fixed<string>
  type: Fixed<string>
  /** The image's name or the repository. */
  subject: Fixed<string>
  /** JSON of what there is to tell. */
  note: Fixed<string>
  at: Fixed<number>
  state: 'waiting' | 'undelivered'
  tries: number
  /** Null for what is not tried: it was given up, or something older of its subject waits. */
  next_at: number | null
  /** A try that fails after this time is the last one. */
  give_up_at: number
  /** Why the last try failed, empty before the first one. */
  problem: string
}

export const maintenanceKinds = ['gc', 'scrub'] as const
export type MaintenanceKind = (typeof maintenanceKinds)[number]

/** What was interrupted may go on. */
export const maintenanceStates = ['running', 'done', 'failed', 'interrupted'] as const
export type MaintenanceState = (typeof maintenanceStates)[number]

export interface MaintenanceTable {
  id: Fixed<string>
  kind: Fixed<MaintenanceKind>
  state: MaintenanceState
  /** JSON: what was asked for. */
  options: Fixed<string>
  /** JSON: counters, and where it goes on. */
  progress: string
  message: string
  started_at: number
  finished_at: number | null
}

/** The key of a record in the store that may be behind the catalog. */
export interface RecordDebtTable {
  key: Fixed<string>
}

export interface FactTable {
  name: Fixed<string>
  value: string
}
