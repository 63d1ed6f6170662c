import type { Notice } from '../../catalog/notices.ts'
import type { ImageNote, ManifestNote, Note } from '../../catalog/notepad.ts'
import type { Digest } from '../../image/digest.ts'
import type { Form } from './subscriber.ts'

/** What others know this service by. */
export type Own = {
  /** What its addresses begin with. */
  readonly external: string
  /** Of this process. */
  readonly instance: string
}

/** What messages are made of beside the notices themselves. */
export type Sight = {
  readonly own: () => Own
  /** An image as those see it who may only look. */
  readonly show: (image: ImageNote['image']) => Promise<object>
  /** What a manifest names, as its own descriptors say it; null when its bytes are gone. */
  readonly parts: (digest: Digest, signal: AbortSignal) => Promise<readonly object[] | null>
}

export type Message = { readonly contentType: string; readonly body: string }

/** A notice that this version can read. */
export type Readable = Notice & { readonly note: Note }

export function isReadable(notice: Notice): notice is Readable {
  return notice.note !== null
}

/** A notice as a subscriber wants it. */
export async function messageOf(
  notice: Readable,
  form: Form,
  sight: Sight,
  signal: AbortSignal,
): Promise<Message> {
  if (form === 'cloudevents') return await cloudEvent(notice, sight)
  return await envelope(notice, sight, signal)
}

/** What asks a subscriber whether it hears. */
export function pingOf(id: string, form: Form, { own }: Sight, now: number): Message {
  if (form === 'distribution') return enveloped([])
  return asCloudEvent({ id, type: 'ping', subject: '', at: now, data: {} }, own())
}

/** CloudEvents 1.0, JSON event format, structured mode. */
async function cloudEvent({ id, note, at }: Readable, { own, show }: Sight): Promise<Message> {
  const { type, subject } = note
  const data = 'image' in note ? await show(note.image) : manifestData(note)
  return asCloudEvent({ id, type, subject, at, data }, own())
}

type Told = {
  readonly id: string
  readonly type: string
  /** Empty for none. */
  readonly subject: string
  readonly at: number
  readonly data: object
}

function asCloudEvent({ id, type, subject, at, data }: Told, { external }: Own): Message {
  const event = {
    specversion: '1.0',
    id,
    source: external,
    type: `dev.slipway.${type}`,
    ...(subject !== '' && { subject }),
    time: new Date(at).toISOString(),
    datacontenttype: 'application/json',
    data,
  }
  return { contentType: 'application/cloudevents+json', body: JSON.stringify(event) }
}

function manifestData({ subject, digest, tag, mediaType, size }: ManifestNote) {
  return {
    repository: subject,
    ...(digest !== null && { digest }),
    ...(tag !== null && { tag }),
    ...(mediaType !== null && { mediaType }),
    ...(size !== null && { size: String(size) }),
  }
}

/** The notification of CNCF distribution. It tells of manifests alone. */
async function envelope(
  { id, note, at }: Readable,
  { own, parts }: Sight,
  signal: AbortSignal,
): Promise<Message> {
  if ('image' in note) return enveloped([])
  const { external, instance } = own()
  const { host } = new URL(external)
  const isPush = note.type === 'manifest.pushed'
  const references = isPush && note.digest !== null ? await parts(note.digest, signal) : null
  return enveloped([
    {
      id,
      timestamp: new Date(at).toISOString(),
      action: isPush ? 'push' : 'delete',
      target: { ...target(note, external), ...(references && { references }) },
      ...asked(note),
      source: { addr: host, instanceID: instance },
    },
  ])
}

function asked({ by }: ManifestNote) {
  if (by === null) return { request: {}, actor: {} }
  const { name, userAgent: useragent, ...request } = by
  return { request: { ...request, useragent }, actor: name === '' ? {} : { name } }
}

function target({ subject, digest, tag, mediaType, size }: ManifestNote, external: string) {
  return {
    ...(mediaType !== null && { mediaType }),
    ...(size !== null && { size, length: size }),
    ...(digest !== null && { digest }),
    repository: subject,
    ...(mediaType !== null && { url: `${external}/v2/${subject}/manifests/${digest}` }),
    ...(tag !== null && { tag }),
  }
}

function enveloped(events: readonly object[]): Message {
  const contentType = 'application/vnd.docker.distribution.events.v1+json'
  return { contentType, body: JSON.stringify({ events }) }
}
