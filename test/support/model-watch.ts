import { imageSchema } from '../../src/image/status.ts'
import { expectStatus, type RegistryClient } from './registry-client.ts'
import type { Image } from './rest.ts'

/** Looks without an end in sight, each of a second at most. */
const mostLooks = 120

export async function createImage(
  client: RegistryClient,
  name: string,
  dataSource: unknown,
): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ name, dataSource })
  return await client.ask('POST', '/api/v1/images', { body, headers })
}

/** The image once it stays as it is until somebody does something; null when it is not there. */
export async function steadyImage(client: RegistryClient, name: string): Promise<Image | null> {
  let etag = '""'
  let seen = 'never seen'
  for (let looks = 0; looks < mostLooks; looks += 1) {
    const headers = { 'if-none-match': etag }
    const answer = await client.ask('GET', `/api/v1/images/${name}?wait=1s`, { headers })
    const text = await expectStatus(answer, 200, 304, 404)
    if (answer.status === 404) return null
    if (answer.status === 304) continue
    etag = answer.headers.get('etag') ?? etag
    seen = text
    const image = imageSchema.parse(JSON.parse(text))
    if (isSteady(image)) return image
  }
  throw new Error(`${name} does not get on: ${seen}`)
}

/** An upload that broke off waits for the rest, unless all of it is here: then it is finished by itself. */
function isSteady({ status: { phase, upload } }: Image): boolean {
  if (phase === 'Provisioning') return upload !== undefined && upload.offset !== upload.length
  return phase !== 'Pending' && phase !== 'Terminating'
}
