import { digestOf } from '../../src/image/digest.ts'
import { trickInPath, tricks } from './path-tricks.ts'
import { imageManifest } from './push-content.ts'
import type { Random } from './random.ts'

export const blob = Buffer.from('{}')
export const blobDigest = digestOf(blob)
/** What a pushed image needs is only that blob. */
export const manifest = imageManifest({ digest: blobDigest, size: blob.length }, [])

type Body = { readonly type: string; readonly bytes: Uint8Array }
type Shape = readonly [method: string, target: (name: string) => string, body?: Body]

const image: Body = { type: manifest.mediaType, bytes: manifest.bytes }
const bytes: Body = { type: 'application/octet-stream', bytes: blob }
const by = `?digest=${blobDigest}`

/** Each place in a target that takes a name. */
const shapes: readonly [Shape, ...Shape[]] = [
  ['GET', (name) => `/${name}`],
  ['GET', (name) => `/docs/${name}`],
  ['GET', (name) => `/assets/${name}/page/main.js`],
  ['GET', (name) => `/assets/0/${name}`],
  ['GET', (name) => `/api/v1/images/${name}`],
  ['GET', (name) => `/api/v1/images/${name}/disk`],
  ['GET', (name) => `/api/v1/images/${name}/shape`],
  ['GET', (name) => `/api/v1/images?continue=${name}`],
  ['GET', (name) => `/api/v1/images?phase=${name}`],
  ['POST', (name) => `/api/v1/images/${name}/retry`],
  ['DELETE', (name) => `/api/v1/images/not-${name}`],
  ['GET', (name) => `/api/v1/storage/runs/${name}`],
  ['GET', (name) => `/api/v1/subscribers/${name}/undelivered`],
  ['POST', (name) => `/api/v1/subscribers/${name}/ping`],
  ['GET', (name) => `/upload/${name}`],
  ['HEAD', (name) => `/upload/${name}`],
  ['PUT', (name) => `/upload/${name}`, bytes],
  ['PATCH', (name) => `/upload/${name}`, bytes],
  ['DELETE', (name) => `/upload/${name}`],
  ['GET', (name) => `/v2/_catalog?n=${name}`],
  ['GET', (name) => `/v2/_catalog?n=1&last=${name}`],
  ['GET', (name) => `/v2/${name}/tags/list`],
  ['GET', (name) => `/v2/shelf/tags/list?n=2&last=${name}`],
  ['GET', (name) => `/v2/shelf/manifests/${name}`],
  ['HEAD', (name) => `/v2/${name}/manifests/latest`],
  ['PUT', (name) => `/v2/shelf/manifests/${name}`, image],
  ['PUT', (name) => `/v2/${name}/manifests/latest`, image],
  ['DELETE', (name) => `/v2/shelf/manifests/not-${name}`],
  ['GET', (name) => `/v2/shelf/blobs/${name}`],
  ['HEAD', (name) => `/v2/${name}/blobs/${blobDigest}`],
  ['DELETE', (name) => `/v2/shelf/blobs/not-${name}`],
  ['GET', (name) => `/v2/shelf/referrers/${name}`],
  ['POST', (name) => `/v2/${name}/blobs/uploads/${by}`, bytes],
  ['POST', (name) => `/v2/shelf/blobs/uploads/?digest=${name}`, bytes],
  ['POST', (name) => `/v2/shelf/blobs/uploads/?mount=${name}&from=shelf`],
  ['POST', (name) => `/v2/shelf/blobs/uploads/?mount=${blobDigest}&from=${name}`],
  ['GET', (name) => `/v2/shelf/blobs/uploads/${name}`],
  ['PATCH', (name) => `/v2/shelf/blobs/uploads/${name}`, bytes],
  ['PUT', (name) => `/v2/shelf/blobs/uploads/${name}${by}`, bytes],
  ['DELETE', (name) => `/v2/shelf/blobs/uploads/${name}`],
]

/** Each place in a document that takes a name: bodies of `POST /api/v1/images`. */
const documents: readonly [Document, ...Document[]] = [
  (name) => ({ name, dataSource: { type: 'Upload' } }),
  (name) => ({ name: 'named', dataSource: { type: 'Upload' }, owner: { uid: name } }),
  (name) => ({
    name: 'named',
    dataSource: { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name } },
  }),
  (name) => ({
    name: 'named',
    dataSource: { type: 'ContainerImage', containerImage: { image: `127.0.0.1:9/${name}` } },
  }),
  (name) => ({
    name: 'named',
    dataSource: { type: 'HTTP', http: { url: `http://127.0.0.1:9/${name}` } },
  }),
  (name) => ({ name: 'named', dataSource: { type: name } }),
  (name) => ({ [name]: name }),
]
type Document = (name: string) => object

export type NamedRequest = {
  readonly what: string
  readonly method: string
  readonly bytes: Buffer
}

/** A request with a name in it that is none, or not what it seems to be; the last of its connection. */
export function requestWithTrick(random: Random): NamedRequest {
  if (random.below(4) === 0) {
    const body = JSON.stringify(random.pick(documents)(random.pick(tricks)))
    const sent = { type: 'application/json', bytes: Buffer.from(body) }
    return requestOf('POST', '/api/v1/images', sent)
  }
  const [method, target, body] = random.pick(shapes)
  return requestOf(method, target(trickInPath(random)), body)
}

function requestOf(method: string, target: string, body?: Body): NamedRequest {
  const first = `${method} ${target} HTTP/1.1\r\n`
  const fields = body
    ? `Content-Type: ${body.type}\r\nContent-Length: ${body.bytes.length}\r\n`
    : ''
  const head = `${first}Host: 127.0.0.1\r\nConnection: close\r\n${fields}\r\n`
  const bytes = Buffer.concat([Buffer.from(head, 'latin1'), body?.bytes ?? Buffer.alloc(0)])
  return { what: `${first.slice(0, 300)}${body?.type ?? ''}`, method, bytes }
}
