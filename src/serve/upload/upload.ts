import type { IncomingMessage, ServerResponse } from 'node:http'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { asFailure, Refusal, type Failure } from '../../errors.ts'
import type { Admission, UploadDoor } from '../../work/upload-door.ts'
import type { Reception } from '../../work/upload.ts'
import type { Presenter } from '../api/present.ts'
import type { Call, Env, Routes } from '../context.ts'
import { expectsContinue, lengthOf, RequestBody } from '../request-body.ts'
import { only } from '../methods.ts'
import { failureHeaders, logFailure, problemBody } from '../problem.ts'

export type UploadOptions = {
  readonly door: UploadDoor
  readonly reception: Reception
  readonly presenter: Presenter
}

/** `/upload/<token>` (http-api, "Uploads"): the token in the path is the credential. */
export function uploadRoutes(options: UploadOptions): Routes {
  return new Hono<Env>()
    .on(['PUT', 'POST'], '/:token', (c) => take(c, options))
    .get('/:token', (c) => tell(c, options))
    .all('/:token', only('GET', 'HEAD', 'PUT', 'POST'))
}

/** The whole body becomes the image; the answer comes when it is Ready. */
async function take(c: Call, { door, reception, presenter }: UploadOptions): Promise<Response> {
  const { incoming, outgoing } = c.env
  try {
    refuseParts(incoming)
    const admission = await door.admit(c.req.param('token') ?? '', lengthOf(incoming))
    // Only now is a client that waits for it (Expect: 100-continue) told to send.
    if (expectsContinue(incoming)) outgoing.writeContinue()
    const image = await receive(admission, incoming, reception)
    answer(outgoing, 201, 'application/json', {
      location: `/api/v1/images/${image.name}`,
    }).end(`${JSON.stringify(await presenter.show(image))}\n`)
  } catch (error) {
    refuse(c, asFailure(error))
  }
  return RESPONSE_ALREADY_SENT
}

async function receive(admission: Admission, incoming: IncomingMessage, reception: Reception) {
  const body = new RequestBody(incoming)
  try {
    return await reception.receive(admission, body, addressOf(incoming))
  } finally {
    body.destroy()
  }
}

async function tell(c: Call, { door }: UploadOptions): Promise<Response> {
  const { image, upload, received, length } = await door.state(c.req.param('token') ?? '')
  const { expiresAt } = upload
  c.header('cache-control', 'no-store')
  return c.json({
    phase: image.phase,
    offset: String(received),
    ...(length !== null && { length: String(length) }),
    ...(expiresAt !== null && { expiresAt: new Date(expiresAt).toISOString() }),
  })
}

/** A part of a file must never be taken for the whole. */
function refuseParts(incoming: IncomingMessage): void {
  if (incoming.headers['content-range'] === undefined) return
  throw new Refusal(
    'RANGE_NOT_SATISFIABLE',
    'nothing of this upload is kept here to be continued; send the whole file, without curl -C',
  )
}

function addressOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress ?? 'an unknown address'
}

/** What is left of the body is read away for a moment, so that the answer reaches a client that is still sending. */
function refuse(c: Call, failure: Failure): void {
  logFailure(c, failure)
  const { outgoing } = c.env
  if (outgoing.headersSent || outgoing.destroyed) return
  const headers = failureHeaders(failure)
  answer(outgoing, failure.row.status, 'application/problem+json', headers).end(
    problemBody(failure),
  )
}

function answer(
  outgoing: ServerResponse,
  status: number,
  contentType: string,
  headers: { readonly [name: string]: string },
): ServerResponse {
  return outgoing.writeHead(status, {
    ...headers,
    'content-type': contentType,
    'cache-control': 'no-store',
  })
}
