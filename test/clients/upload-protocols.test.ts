import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { breakOff, sendPart } from '../support/broken-off.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { expectNothing } from '../support/leftovers.ts'
import { problemOf, readiness } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { request } from '../support/wire.ts'

const size = 6 * mebibyte
const bytes = disk(size)
const step = 2 * mebibyte
const other = disk(size, 9)
const base64 = (algorithm: string, of: Uint8Array) =>
  createHash(algorithm).update(of).digest('base64')
const sha256 = createHash('sha256').update(bytes).digest('hex')

const tus = { 'tus-resumable': '1.0.0' }
const ofTus = { ...tus, 'content-type': 'application/offset+octet-stream' }
const ofDraft = {
  'content-type': 'application/partial-upload',
  'upload-draft-interop-version': '8',
}

let service: Service
beforeAll(async () => {
  service = await startService({ SLIPWAY_CORS_ORIGINS: 'https://console.example.com' })
})
afterAll(() => service[Symbol.asyncDispose]())

afterEach(async () => {
  for (const name of await service.rest.names()) await service.rest.delete(name)
  await expectNothing(service.folder)
})

async function patch(
  url: string,
  offset: number,
  body: Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> {
  const all = { ...ofTus, 'upload-offset': String(offset), ...headers }
  return await fetch(url, { method: 'PATCH', body, headers: all })
}

async function patchDraft(
  url: string,
  offset: number,
  body: Uint8Array<ArrayBuffer>,
  isLast: boolean,
): Promise<Response> {
  const complete = { 'upload-offset': String(offset), 'upload-complete': isLast ? '?1' : '?0' }
  return await fetch(url, { method: 'PATCH', body, headers: { ...ofDraft, ...complete } })
}

async function announce(url: string, length = size): Promise<Response> {
  return await fetch(url, { method: 'POST', headers: { ...tus, 'upload-length': String(length) } })
}

async function offsetOf(url: string): Promise<number> {
  const { headers } = await fetch(url, { method: 'HEAD' })
  return Number(headers.get('upload-offset'))
}

async function expectReady(name: string): Promise<void> {
  expect((await service.rest.ready(name)).status.source?.sha256).toBe(sha256)
}

describe('tus 1.0', () => {
  test('brings an image in parts', async () => {
    const url = await service.rest.createUpload('tus')
    const made = await announce(url)
    expect(made.status).toBe(201)
    const location = made.headers.get('location') ?? ''
    expect(new URL(location, url).href).toBe(url)
    // Behind a proxy that puts a path before it.
    const prefixed = url.replace('/upload/', '/images/upload/')
    expect(new URL(location, prefixed).href).toBe(prefixed)
    expect(Date.parse(made.headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now())
    expect((await service.rest.image('tus')).status.phase).toBe('WaitForUserUpload')
    for (let at = 0; at < size; at += step) {
      const { status, headers } = await patch(url, at, bytes.subarray(at, at + step))
      expect(status).toBe(204)
      expect(headers.get('upload-offset')).toBe(String(at + step))
      expect(headers.get('tus-resumable')).toBe('1.0.0')
    }
    await expectReady('tus')
    const { headers } = await fetch(url, { method: 'HEAD', headers: tus })
    expect(headers.get('upload-offset')).toBe(String(size))
    expect(headers.get('upload-length')).toBe(String(size))
  })

  test('tells what there is of it', async () => {
    const url = await service.rest.createUpload('offer')
    const { status, headers } = await fetch(url, { method: 'OPTIONS' })
    expect(status).toBe(204)
    expect(headers.get('tus-version')).toBe('1.0.0')
    expect(headers.get('tus-extension')).toBe('creation,termination,checksum,expiration')
    expect(headers.get('tus-checksum-algorithm')).toContain('sha1')
  })

  test('is told that no other version is spoken', async () => {
    const url = await service.rest.createUpload('version')
    const headers = { 'tus-resumable': '0.2.2' }
    const answer = await fetch(url, { method: 'POST', headers })
    expect(answer.status).toBe(412)
    expect(answer.headers.get('tus-version')).toBe('1.0.0')
  })

  test.each([
    ['another offset', 409, 'UPLOAD_CONFLICT', step + 1, ofTus],
    ['an earlier offset', 409, 'UPLOAD_CONFLICT', 0, ofTus],
    [
      'another type',
      415,
      'UNSUPPORTED_MEDIA_TYPE',
      step,
      { ...ofTus, 'content-type': 'text/plain' },
    ],
    ['no version', 422, 'INVALID_REQUEST', step, { 'content-type': ofTus['content-type'] }],
    ['more than announced', 400, 'SIZE_INVALID', step, { ...ofTus, 'upload-offset': String(step) }],
  ] as const)('is kept when a part with %s is refused', async (what, status, code, at, headers) => {
    const url = await service.rest.createUpload('kept')
    await announce(url)
    await patch(url, 0, bytes.subarray(0, step))
    const body = what === 'more than announced' ? disk(size) : bytes.subarray(0, step)
    const all = { ...headers, 'upload-offset': String(at) }
    const answer = await fetch(url, { method: 'PATCH', body, headers: all })
    expect(answer.status).toBe(status)
    expect((await problemOf(answer)).code).toBe(code)
    expect(await offsetOf(url)).toBe(step)
    expect((await patch(url, step, bytes.subarray(step))).status).toBe(204)
    await expectReady('kept')
  })

  test('keeps nothing of a part that was damaged on its way', async () => {
    const url = await service.rest.createUpload('checked')
    await announce(url)
    const first = { 'upload-checksum': `sha1 ${base64('sha1', bytes.subarray(0, step))}` }
    const damaged = await patch(url, 0, other.subarray(0, step), first)
    expect(damaged.status).toBe(460)
    expect((await problemOf(damaged)).code).toBe('PART_MISMATCH')
    expect(await offsetOf(url)).toBe(0)
    expect((await patch(url, 0, bytes.subarray(0, step), first)).status).toBe(204)
    const unknown = await patch(url, step, bytes.subarray(step), {
      'upload-checksum': 'crc32 AAAA',
    })
    expect(unknown.status).toBe(422)
    const rest = { 'upload-checksum': `sha256 ${base64('sha256', bytes.subarray(step))}` }
    expect((await patch(url, step, bytes.subarray(step), rest)).status).toBe(204)
    await expectReady('checked')
  })

  test('begins anew with a new creation, and ends with a termination', async () => {
    const url = await service.rest.createUpload('anew')
    await announce(url, 2 * size)
    await patch(url, 0, other.subarray(0, step))
    expect((await announce(url)).status).toBe(201)
    expect(await offsetOf(url)).toBe(0)
    expect((await patch(url, 0, bytes.subarray(0, step))).status).toBe(204)
    const ended = await fetch(url, { method: 'DELETE', headers: tus })
    expect(ended.status).toBe(204)
    expect((await patch(url, step, bytes.subarray(step))).status).toBe(410)
    expect((await service.rest.image('anew')).status.phase).toBe('Failed')
  })

  test('is told at once that the bytes are refused', async () => {
    const url = await service.rest.createUpload('text')
    await announce(url)
    const answer = await patch(url, 0, Buffer.alloc(3 * mebibyte, 'This is a text.\n'))
    expect(answer.status).toBe(422)
    expect((await problemOf(answer)).code).toBe('NOT_AN_IMAGE')
    expect((await service.rest.image('text')).status.phase).toBe('Failed')
    const late = await patch(url, 3 * mebibyte, bytes.subarray(0, step))
    expect(late.status).toBe(410)
    expect((await problemOf(late)).detail).toMatch(/is Failed \(.+\); ask for a new one with POST/)
  })

  test('takes an empty part for no sign of life', async () => {
    const url = await service.rest.createUpload('nothing')
    await announce(url)
    const answer = await patch(url, 0, Buffer.alloc(0))
    expect(answer.status).toBe(204)
    expect(answer.headers.get('upload-offset')).toBe('0')
    expect((await service.rest.image('nothing')).status.phase).toBe('WaitForUserUpload')
  })

  test('takes PATCH in the clothes of POST', async () => {
    const url = await service.rest.createUpload('clothes')
    await announce(url)
    const headers = { ...ofTus, 'upload-offset': '0', 'x-http-method-override': 'PATCH' }
    expect((await fetch(url, { method: 'POST', body: bytes, headers })).status).toBe(204)
    await expectReady('clothes')
  })
})

describe('the draft on resumable uploads', () => {
  test('brings an image in parts of which the last is told to be', async () => {
    const url = await service.rest.createUpload('draft')
    const begun = await fetch(url, {
      method: 'POST',
      body: bytes.subarray(0, step),
      headers: { 'upload-complete': '?0', 'upload-draft-interop-version': '8' },
    })
    expect(begun.status).toBe(201)
    expect(begun.headers.get('upload-offset')).toBe(String(step))
    expect(new URL(begun.headers.get('location') ?? '', url).href).toBe(url)
    const second = await patchDraft(url, step, bytes.subarray(step, 2 * step), false)
    expect(second.status).toBe(204)
    expect(second.headers.get('upload-complete')).toBe('?0')
    const answer = await patchDraft(url, 2 * step, bytes.subarray(2 * step), true)
    expect(answer.status).toBe(201)
    expect(answer.headers.get('upload-complete')).toBe('?1')
    await expectReady('draft')
  })

  test('is told where to go on after a gap', async () => {
    const url = await service.rest.createUpload('gap')
    await breakOff(service, 'gap', url, step, bytes)
    const answer = await patchDraft(url, 2 * step, bytes.subarray(2 * step), true)
    expect(answer.status).toBe(409)
    expect(answer.headers.get('upload-offset')).toBe(String(step))
  })
})

describe('digests', () => {
  test.each([
    ['Repr-Digest', `sha-256=:${base64('sha256', bytes)}:`],
    ['Content-Digest', `sha-512=:${base64('sha512', bytes)}:, unixsum=:AAAA:`],
  ])('of the whole hold in %s', async (name, value) => {
    const url = await service.rest.createUpload('right')
    const headers = { [name]: value }
    expect((await fetch(url, { method: 'PUT', body: bytes, headers })).status).toBe(201)
    const wrong = await service.rest.createUpload('wrong')
    const answer = await fetch(wrong, { method: 'PUT', body: other, headers })
    expect(answer.status).toBe(400)
    expect((await problemOf(answer)).code).toBe('CHECKSUM_MISMATCH')
    expect(readiness(await service.rest.image('wrong')).message).toContain('of the source is')
  })

  test('that are told first hold for the rest of the file, too', async () => {
    const url = await service.rest.createUpload('first')
    const headers = { 'repr-digest': `sha-512=:${base64('sha512', bytes)}:` }
    expect((await sendPart(url, 0, bytes, step, headers)).status).toBe(202)
    const mixed = Buffer.concat([bytes.subarray(0, step), other.subarray(step)])
    const answer = await sendPart(url, step, mixed)
    expect(answer.status).toBe(400)
    expect((await problemOf(answer)).code).toBe('CHECKSUM_MISMATCH')
  })

  test('that are told last are looked for in what came before', async () => {
    const url = await service.rest.createUpload('last')
    expect((await sendPart(url, 0, bytes, 2 * step)).status).toBe(202)
    const headers = { 'repr-digest': `sha-512=:${base64('sha512', bytes)}:` }
    const offset = await offsetOf(url)
    const answer = await sendPart(url, offset, bytes, size, headers)
    if (answer.status === 409) {
      // What had not reached the disk has to come once more.
      const here = Number(answer.headers.get('upload-offset'))
      expect((await sendPart(url, here, bytes, size, headers)).status).toBe(201)
    } else expect(answer.status).toBe(201)
    await expectReady('last')
  })

  test('of another file are a conflict', async () => {
    const url = await service.rest.createUpload('other')
    const first = { 'repr-digest': `sha-256=:${base64('sha256', bytes)}:` }
    await sendPart(url, 0, bytes, step, first)
    const second = { 'repr-digest': `sha-256=:${base64('sha256', other)}:` }
    expect((await sendPart(url, step, bytes, size, second)).status).toBe(409)
    expect((await sendPart(url, step, bytes, size, first)).status).toBe(201)
    await expectReady('other')
  })

  test('of another file hold no more once a file begins anew', async () => {
    const url = await service.rest.createUpload('anew')
    const first = { 'repr-digest': `sha-512=:${base64('sha512', other)}:` }
    expect((await sendPart(url, 0, other, step, first)).status).toBe(202)
    expect((await sendPart(url, 0, bytes)).status).toBe(201)
    await expectReady('anew')
  })

  test('that the image is not to have cost no byte', async () => {
    const url = await service.rest.createUpload('spec', { checksum: { sha256 } })
    const headers = { 'repr-digest': `sha-256=:${base64('sha256', other)}:` }
    const answer = await fetch(url, { method: 'PUT', body: other, headers })
    expect(answer.status).toBe(400)
    expect((await service.rest.image('spec')).status.phase).toBe('WaitForUserUpload')
  })

  test.each(['sha-256', 'sha-256=abc', 'sha-256=:AAAA:'])('as %s are refused', async (value) => {
    const url = await service.rest.createUpload('odd')
    const headers = { 'repr-digest': value }
    const answer = await fetch(url, { method: 'PUT', body: bytes, headers })
    expect(answer.status).toBe(422)
  })

  test('of a part that was damaged keep nothing of it', async () => {
    const url = await service.rest.createUpload('part')
    const headers = { 'content-digest': `sha-256=:${base64('sha256', bytes.subarray(0, step))}:` }
    const answer = await sendPart(url, 0, other, step, headers)
    expect(answer.status).toBe(400)
    expect(await offsetOf(url)).toBe(0)
    expect((await sendPart(url, 0, bytes, step, headers)).status).toBe(202)
    expect((await sendPart(url, step, bytes)).status).toBe(201)
    await expectReady('part')
  })
})

test('a part of unknown length has as many bytes as its Content-Range tells', async () => {
  const url = await service.rest.createUpload('chunked')
  const headers = {
    'Transfer-Encoding': 'chunked',
    'Content-Range': `bytes 0-${step - 1}/${size}`,
  }
  using wire = await request('PUT', url, headers)
  await wire.send(`${(step + 1).toString(16)}\r\n`)
  await wire.send(bytes.subarray(0, step + 1))
  await wire.send('\r\n0\r\n\r\n')
  const { status, text } = await wire.answer()
  expect(status).toBe(400)
  expect(text).toContain('"SIZE_INVALID"')
  const offset = await offsetOf(url)
  expect(offset).toBeLessThanOrEqual(step)
  expect((await sendPart(url, offset, bytes)).status).toBe(201)
  await expectReady('chunked')
})

describe('pages of another origin', () => {
  const origin = 'https://console.example.com'

  test('that are named may upload', async () => {
    const url = await service.rest.createUpload('page')
    const { headers } = await fetch(url, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-headers': 'upload-offset,tus-resumable' },
    })
    expect(headers.get('access-control-allow-origin')).toBe(origin)
    expect(headers.get('access-control-allow-methods')).toContain('PATCH')
    expect(headers.get('access-control-allow-headers')).toContain('upload-offset')
    expect(headers.get('tus-version')).toBe('1.0.0')
    const answer = await fetch(url, { method: 'PUT', body: bytes, headers: { origin } })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
    expect(answer.headers.get('access-control-expose-headers')).toContain('Upload-Offset')
  })

  test('that are named may use the API', async () => {
    const asked = await fetch(service.rest.url(), { method: 'OPTIONS', headers: { origin } })
    expect(asked.status).toBe(204)
    const body = JSON.stringify({ name: 'made', dataSource: { type: 'Upload' } })
    const headers = { origin, 'content-type': 'application/json' }
    const answer = await fetch(service.rest.url(), { method: 'POST', body, headers })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
  })

  test('that are not named may not', async () => {
    const headers = { origin: 'https://evil.example.com' }
    const answer = await fetch(service.rest.url(), { headers })
    expect(answer.headers.get('access-control-allow-origin')).toBe(null)
    const body = JSON.stringify({ name: 'planted', dataSource: { type: 'Upload' } })
    const made = await fetch(service.rest.url(), {
      method: 'POST',
      body,
      headers: { ...headers, 'content-type': 'application/json' },
    })
    expect(made.status).toBe(403)
  })
})
