import type { Service } from './service.ts'
import { request } from './wire.ts'

/** Sends the first bytes of a file and breaks off, as a cable that is pulled out. */
export async function breakOff(
  { rest }: Service,
  name: string,
  url: string,
  at: number,
  whole: Buffer,
) {
  const wire = await request('PUT', url, { 'Content-Length': whole.length })
  await wire.send(whole.subarray(0, at))
  await rest.until(name, ({ status }) => status.receivedBytes === String(at))
  wire.breakOff()
  return await rest.until(name, ({ status }) => status.upload !== undefined)
}

/** Sends bytes `start` to `end` as curl -C does. */
export async function sendPart(
  url: string,
  start: number,
  whole: Buffer<ArrayBuffer>,
  end = whole.length,
  headers: Record<string, string> = {},
): Promise<Response> {
  return await fetch(url, {
    method: 'PUT',
    body: whole.subarray(start, end),
    headers: { 'content-range': `bytes ${start}-${end - 1}/${whole.length}`, ...headers },
  })
}
