import type { CutClient } from './model-life.ts'
import type { Random } from './random.ts'
import { expectStatus, type Bytes } from './registry-client.ts'
import { sendResuming } from './resuming-upload.ts'

/** Sends a disk from its first byte on, in one of the ways that there are; it has to be taken. */
export async function sendDisk(
  client: CutClient,
  door: string,
  bytes: Bytes,
  random: Random,
): Promise<void> {
  const way = random.pick(['whole', 'cuts', 'parts', 'tus'])
  const cut = 1 + random.below(bytes.length - 1)
  if (way === 'whole') {
    await expectStatus(await client.ask('PUT', door, { body: bytes }), 201)
  } else if (way === 'cuts') {
    await sendInPieces(client, door, bytes, cut)
  } else if (way === 'parts') {
    await expectStatus(await part(client, door, bytes, 0, cut), 202)
    await expectStatus(await part(client, door, bytes, cut), 201)
  } else {
    await sendByTus(client, door, bytes, cut)
  }
}

/** Sends what is not there yet. */
export async function sendRest(client: CutClient, door: string, bytes: Bytes): Promise<void> {
  const answer = await client.ask('HEAD', door)
  await expectStatus(answer, 200)
  const from = Number(answer.headers.get('upload-offset'))
  await expectStatus(await part(client, door, bytes, from), 201)
}

async function sendInPieces(client: CutClient, door: string, bytes: Bytes, cut: number) {
  const sending = {
    url: client.url(door),
    size: bytes.length,
    read: (length: number, offset: number) => Buffer.from(bytes.subarray(offset, offset + length)),
    cuts: [{ after: cut, how: 'reset' }],
  } as const
  await client.life.outlast(() => sendResuming(sending))
}

async function sendByTus(client: CutClient, door: string, bytes: Bytes, cut: number) {
  const tus = { 'tus-resumable': '1.0.0' }
  const length = { ...tus, 'upload-length': String(bytes.length) }
  await expectStatus(await client.ask('POST', door, { headers: length }), 201)
  for (const [from, to] of [[0, cut] as const, [cut, bytes.length] as const]) {
    const type = 'application/offset+octet-stream'
    const headers = { ...tus, 'upload-offset': String(from), 'content-type': type }
    const body = bytes.subarray(from, to)
    await expectStatus(await client.ask('PATCH', door, { body, headers }), 204)
  }
}

async function part(
  client: CutClient,
  door: string,
  bytes: Bytes,
  start: number,
  end = bytes.length,
): Promise<Response> {
  const headers = { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }
  return await client.ask('PUT', door, { body: bytes.subarray(start, end), headers })
}
