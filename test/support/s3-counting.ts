import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { parentPort } from 'node:worker_threads'

/**
 * An S3 stand-in that keeps nothing of what is uploaded in parts and counts it instead: how many uploads and parts there were,
 * and how large. Small objects are kept. It runs in a thread of its own and posts its port.
 */
type Upload = { readonly key: string; readonly sizes: Map<number, number> }

export type Counted = { readonly key: string; readonly parts: readonly number[] }

const uploads = new Map<string, Upload>()
const objects = new Map<string, Buffer>()
const completed = new Map<string, number>()

async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { pathname: key, searchParams } = new URL(incoming.url ?? '', 'http://s3')
  const id = searchParams.get('uploadId')
  if (incoming.method === 'POST' && searchParams.has('uploads')) return begin(key, outgoing)
  if (incoming.method === 'PUT' && id !== null) {
    return await count(incoming, id, Number(searchParams.get('partNumber')), outgoing)
  }
  if (incoming.method === 'POST' && id !== null) return await complete(incoming, id, outgoing)
  if (incoming.method === 'GET' && searchParams.has('list-type')) {
    return void outgoing.end(
      '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>',
    )
  }
  await object(incoming, key, outgoing)
}

function begin(key: string, outgoing: ServerResponse): void {
  const id = String(uploads.size + 1)
  uploads.set(id, { key, sizes: new Map() })
  const inner = `<UploadId>${id}</UploadId>`
  outgoing.end(`<InitiateMultipartUploadResult>${inner}</InitiateMultipartUploadResult>`)
}

async function count(
  incoming: IncomingMessage,
  id: string,
  number: number,
  outgoing: ServerResponse,
): Promise<void> {
  let size = 0
  incoming.on('data', (chunk: Buffer) => (size += chunk.length))
  await once(incoming, 'end')
  uploads.get(id)?.sizes.set(number, size)
  outgoing.setHeader('etag', `"${number}"`).end()
}

/** As a server does that wants equal parts: what was not counted cannot be completed. */
async function complete(
  incoming: IncomingMessage,
  id: string,
  outgoing: ServerResponse,
): Promise<void> {
  const named = [...(await text(incoming)).matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)]
  const upload = uploads.get(id)
  const parts = named.map(([, number]) => upload?.sizes.get(Number(number)) ?? 0)
  const [first = 0] = parts
  const isSound = parts.slice(0, -1).every((size) => size === first) && parts.length <= 10_000
  if (!upload || !isSound) {
    outgoing.statusCode = 400
    return void outgoing.end('<Error><Code>InvalidPart</Code></Error>')
  }
  completed.set(
    upload.key,
    parts.reduce((sum, size) => sum + size, 0),
  )
  const told: Counted = { key: upload.key, parts }
  parentPort?.postMessage(told)
  outgoing.end('<CompleteMultipartUploadResult><ETag>"all"</ETag></CompleteMultipartUploadResult>')
}

const missing = '<Error><Code>NoSuchKey</Code></Error>'

async function object(
  incoming: IncomingMessage,
  key: string,
  outgoing: ServerResponse,
): Promise<void> {
  if (incoming.method === 'PUT') {
    objects.set(key, Buffer.from(await text(incoming)))
    return void outgoing.end()
  }
  if (incoming.method === 'DELETE') {
    objects.delete(key)
    outgoing.statusCode = 204
    return void outgoing.end()
  }
  const bytes = objects.get(key)
  const size = bytes?.length ?? completed.get(key)
  outgoing.statusCode = size === undefined ? 404 : 200
  if (size !== undefined) outgoing.setHeader('content-length', size)
  outgoing.end(incoming.method === 'HEAD' ? undefined : (bytes ?? missing))
}

const server = createServer((incoming, outgoing) => void answer(incoming, outgoing))
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') parentPort?.postMessage(address.port)
})
