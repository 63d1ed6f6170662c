import type { IncomingMessage, ServerResponse } from 'node:http'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import type { Image } from '../../catalog/images.ts'
import { asFailure, Refusal, type Failure } from '../../errors.ts'
import type { Announced, Standing, UploadDoor } from '../../work/upload-door.ts'
import type { Receipt, Reception } from '../../work/upload.ts'
import type { Presenter } from '../api/present.ts'
import type { Call, Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import { failureHeaders, logFailure, problemBody } from '../problem.ts'
import { RequestBody } from '../request-body.ts'
import { announcedCreation, announcedFile, announcedPart } from './announced.ts'
import { tusAlgorithms } from './digests.ts'

export type UploadOptions = {
  readonly door: UploadDoor
  readonly reception: Reception
  readonly presenter: Presenter
  /** Milliseconds without a byte after which a begun upload is given up. */
  readonly uploadIdle: number
  /** Bytes. */
  readonly maxImageSize: number
}

type Headers = Readonly<Record<string, string>>

const version = { 'tus-resumable': '1.0.0' } as const
const methods = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** How long somebody who asks how an upload stands waits for an image that is being finished, in milliseconds. */
const settleWithin = 20_000

/** `/upload/<token>` (http-api, "Uploads"): the token in the path is the credential. */
export function uploadRoutes(options: UploadOptions): Routes {
  return new Hono<Env>()
    .use('/:token', async (c, next) => refuseOtherTus(c) ?? (await next()))
    .put('/:token', (c) => takeFile(c, options))
    .post('/:token', (c) => post(c, options))
    .patch('/:token', (c) => takePart(c, options))
    .get('/:token', (c) => (c.req.method === 'HEAD' ? measure(c, options) : tell(c, options)))
    .delete('/:token', (c) => giveUp(c, options))
    .options('/:token', (c) => offer(c, options))
    .all('/:token', only(...methods))
}

/** Another version of tus is told which one is spoken (tus 1.0, "Tus-Version"). */
function refuseOtherTus(c: Call): Response | null {
  const wanted = c.req.header('tus-resumable')
  if (wanted === undefined || wanted === '1.0.0' || c.req.method === 'OPTIONS') return null
  return c.body(null, 412, { 'tus-version': '1.0.0' })
}

async function post(c: Call, options: UploadOptions): Promise<Response> {
  // For clients that cannot send PATCH (tus 1.0, "X-HTTP-Method-Override").
  if (c.req.header('x-http-method-override') === 'PATCH') return await takePart(c, options)
  if (c.req.header('tus-resumable') === undefined) return await takeFile(c, options)
  const { reception, uploadIdle } = options
  await reception.announce(tokenOf(c), announcedCreation(c.env.incoming), addressOf(c.env.incoming))
  const standing = await options.door.look(tokenOf(c))
  c.header('location', sameUrl(c))
  return c.body(null, 201, { ...version, ...expiry(standing, uploadIdle) })
}

/** The body becomes the image, or the rest of it; the answer comes when it is Ready. */
async function takeFile(c: Call, options: UploadOptions): Promise<Response> {
  return await answering(c, options, {}, async () => {
    const receipt = await receive(c, options, announcedFile(c.env.incoming))
    if (receipt.image) return await created(c, options, receipt.image)
    const isBeginning = c.req.header('upload-complete') !== undefined
    const headers = { 'upload-offset': String(receipt.offset), 'upload-complete': '?0' }
    const location = { location: sameUrl(c) }
    json(c, isBeginning ? 201 : 202, { ...headers, ...location }, await standingOf(c, options))
  })
}

/** The body is kept, where it is the next one; the answer to the last one comes when the image is Ready. */
async function takePart(c: Call, options: UploadOptions): Promise<Response> {
  const isTus = c.req.header('tus-resumable') !== undefined
  return await answering(c, options, isTus ? version : {}, async () => {
    const { isTus: speaksTus, ...announced } = announcedPart(c.env.incoming)
    if (speaksTus && !isTus) throw tusMissing()
    const receipt = await receive(c, options, announced)
    if (receipt.image && !isTus) return await created(c, options, receipt.image)
    const { offset, expires } = await afterPart(c, receipt, options)
    const complete = isTus ? {} : { 'upload-complete': '?0' }
    const headers = { 'upload-offset': String(offset), ...expires, ...complete }
    c.env.outgoing.writeHead(204, { ...headers, ...(isTus && version), ...noStore }).end()
  })
}

async function afterPart(c: Call, receipt: Receipt, { door, uploadIdle }: UploadOptions) {
  const standing = await door.look(tokenOf(c))
  const offset = receipt.image ? standing.length : receipt.offset
  return { offset, expires: receipt.image ? {} : expiry(standing, uploadIdle) }
}

/** Whatever fails is told in one line, with the place where the client may go on. */
async function answering(
  c: Call,
  { door }: UploadOptions,
  headers: Headers,
  work: () => Promise<void>,
): Promise<Response> {
  try {
    await work()
  } catch (error) {
    const failure = asFailure(error)
    refuse(c, failure, { ...headers, ...(await offsetAfter(failure, c, door)) })
  }
  return RESPONSE_ALREADY_SENT
}

const goesOn = new Set(['UPLOAD_CONFLICT', 'UPLOAD_INTERRUPTED', 'PART_MISMATCH', 'SIZE_INVALID'])

async function offsetAfter({ code }: Failure, c: Call, door: UploadDoor): Promise<Headers> {
  if (!goesOn.has(code)) return {}
  return { 'upload-offset': String((await door.look(tokenOf(c))).offset) }
}

async function receive(c: Call, { reception }: UploadOptions, announced: Announced) {
  const { incoming, outgoing } = c.env
  // A client that waits for it (Expect: 100-continue) is told to send once somebody reads.
  const body = new RequestBody(incoming, outgoing)
  try {
    return await reception.receive(tokenOf(c), announced, body, addressOf(incoming))
  } finally {
    body.destroy()
  }
}

/** How much of the file is here. */
async function measure(c: Call, { door, reception, uploadIdle }: UploadOptions): Promise<Response> {
  const { image } = await door.look(tokenOf(c))
  if (image.phase !== 'Ready') await reception.settled(image, settleWithin)
  const standing = await door.look(tokenOf(c))
  const { phase, stored } = standing.image
  const isReady = phase === 'Ready'
  if (!isReady) await door.enter(tokenOf(c))
  const offset = isReady ? (stored?.source.bytes ?? standing.offset) : standing.offset
  const length = isReady ? offset : standing.length
  return c.body(null, 200, {
    ...version,
    ...noStore,
    'upload-offset': String(offset),
    ...(length !== null && { 'upload-length': String(length) }),
    'upload-complete': isReady ? '?1' : '?0',
    ...(isReady ? {} : expiry(standing, uploadIdle)),
  })
}

async function giveUp(c: Call, { reception }: UploadOptions): Promise<Response> {
  await reception.cancel(tokenOf(c))
  return c.body(null, 204, c.req.header('tus-resumable') === undefined ? {} : version)
}

async function tell(c: Call, options: UploadOptions): Promise<Response> {
  c.header('cache-control', 'no-store')
  return c.json(await standingOf(c, options))
}

async function standingOf(c: Call, { door }: UploadOptions) {
  const { image, upload, offset, length } = await door.look(tokenOf(c))
  const { expiresAt } = upload
  return {
    phase: image.phase,
    offset: String(offset),
    ...(length !== null && { length: String(length) }),
    ...(expiresAt !== null && { expiresAt: new Date(expiresAt).toISOString() }),
  }
}

/** What of tus there is (tus 1.0, "OPTIONS"), and of the draft on resumable uploads (`Upload-Limit`). */
function offer(c: Call, { maxImageSize }: UploadOptions): Response {
  return c.body(null, 204, {
    ...version,
    'tus-version': '1.0.0',
    'tus-max-size': String(maxImageSize),
    'tus-extension': 'creation,termination,checksum,expiration',
    'tus-checksum-algorithm': tusAlgorithms,
    'upload-limit': `max-size=${maxImageSize}`,
    allow: methods.join(', '),
  })
}

/** When an upload ends that nobody goes on with (tus 1.0, "Expiration"). */
function expiry({ upload }: Standing, idle: number): Headers {
  return { 'upload-expires': new Date(upload.expiresAt ?? Date.now() + idle).toUTCString() }
}

function tokenOf(c: Call): string {
  return c.req.param('token') ?? ''
}

/** Where the client is already, whatever path a proxy puts before ours (RFC 9110 section 10.2.2). */
function sameUrl(c: Call): string {
  return tokenOf(c)
}

function addressOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress ?? 'an unknown address'
}

const noStore = { 'cache-control': 'no-store' } as const

async function created(c: Call, { presenter }: UploadOptions, image: Image): Promise<void> {
  const location = `/api/v1/images/${image.name}`
  json(c, 201, { location, 'upload-complete': '?1' }, await presenter.show(image))
}

function json(c: Call, status: number, headers: Headers, body: unknown): void {
  answer(c.env.outgoing, status, 'application/json', headers).end(`${JSON.stringify(body)}\n`)
}

/** What is left of the body is read away for a moment, so that the answer reaches a client that is still sending. */
function refuse(c: Call, failure: Failure, headers: Headers): void {
  logFailure(c, failure)
  const { outgoing } = c.env
  if (outgoing.headersSent || outgoing.destroyed) return
  // tus 1.0, "Checksum": a status of its own.
  const isOfTus = failure.code === 'PART_MISMATCH' && 'tus-resumable' in headers
  const status = isOfTus ? 460 : failure.row.status
  const all = { ...failureHeaders(failure), ...headers }
  answer(outgoing, status, 'application/problem+json', all).end(problemBody(failure))
}

function answer(
  outgoing: ServerResponse,
  status: number,
  contentType: string,
  headers: Headers,
): ServerResponse {
  return outgoing.writeHead(status, { ...headers, 'content-type': contentType, ...noStore })
}

function tusMissing(): Refusal {
  return new Refusal('INVALID_REQUEST', 'a PATCH of tus bears Tus-Resumable: 1.0.0')
}
