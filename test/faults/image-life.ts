import { expect } from 'vitest'
import { imageSchema } from '../../src/image/status.ts'
import type { Random } from '../support/random.ts'
import { uploadUrl, type Image } from '../support/rest.ts'
import { CutUpload } from './cut-upload.ts'
import { told, type PatientClient } from './patient-client.ts'

type Sent = { readonly name: string; readonly bytes: Buffer; readonly random: Random }

/** @returns the way that was taken */
export async function sent(client: PatientClient, { name, bytes, random }: Sent): Promise<string> {
  const body = Buffer.from(JSON.stringify({ name, dataSource: { type: 'Upload' } }))
  const headers = { 'content-type': 'application/json' }
  const created = await client.answered('POST', '/api/v1/images', { headers, body })
  if (created.status !== 201 && created.status !== 200) throw new Error(told(created))
  const { pathname } = new URL(uploadUrl(imageSchema.parse(JSON.parse(String(created.body)))))
  const upload = new CutUpload(client, pathname, bytes, random)
  await upload.run()
  return upload.way
}

/** As it is told by long polling, and as it is read in ranges. */
export async function expectDisk(
  client: PatientClient,
  name: string,
  bytes: Buffer,
): Promise<void> {
  const image = await polled(client, name)
  expect(image.status).toMatchObject({ phase: 'Ready', source: { bytes: String(bytes.length) } })
  const read = await client.read(`/api/v1/images/${name}/disk`, bytes.length)
  if (!read.equals(bytes)) throw new Error(`${name} has other bytes`)
}

/** Until it is in none of the phases that end by themselves. */
export async function polled(client: PatientClient, name: string): Promise<Image> {
  for (let etag = '""'; ;) {
    const headers = { 'if-none-match': etag }
    const answer = await client.answered('GET', `/api/v1/images/${name}?wait=1s`, { headers })
    if (answer.status === 304) continue
    if (answer.status !== 200) throw new Error(`${name} was answered ${told(answer)}`)
    etag = String(answer.headers['etag'])
    const image = imageSchema.parse(JSON.parse(answer.body.toString()))
    if (!['WaitForUserUpload', 'Provisioning'].includes(image.status.phase)) return image
  }
}

export async function deleted(client: PatientClient, name: string): Promise<void> {
  const path = `/api/v1/images/${name}`
  const { status } = await client.answered('DELETE', path)
  // 404: the answer to the one before was not heard.
  if (status !== 202 && status !== 404) throw new Error(`the deletion was answered ${status}`)
  const answer = await client.answered('GET', path)
  if (answer.status !== 404) throw new Error(`${name} is there after its deletion`)
}
