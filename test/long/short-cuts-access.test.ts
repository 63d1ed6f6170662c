import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { needs } from '../support/programs.ts'
import { readiness, send, type Rest } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { certify } from '../unit/source/certificates.ts'

const size = 2 * mebibyte
const etag = '"1"'

const resources = new AsyncDisposableStack()
/** May read `secret*`. */
let editor: Rest
/** May not. */
let outsider: Rest
let plain: Neighbour

beforeAll(async () => {
  const folder = resources.use(await temporaryFolder()).path
  const paths = await writeCallers(folder)
  const service = resources.use(
    await startService({ SLIPWAY_TOKENS_FILE: paths.tokens, SLIPWAY_ACCESS_FILE: paths.access }),
  )
  editor = service.rest.as(tokenOf('editor'))
  outsider = service.rest.as(tokenOf('ci-a'))
  plain = resources.use(await startNeighbour())
})
afterAll(() => resources.disposeAsync())

async function take(rest: Rest, name: string, url: string, http: object = {}) {
  await rest.create(name, { type: 'HTTP', http: { url, ...http } })
  return await rest.ready(name)
}

async function failing(rest: Rest, name: string, url: string, http: object): Promise<string> {
  await rest.create(name, { type: 'HTTP', http: { url, ...http } })
  return readiness(await rest.reaches(name, 'Failed')).message
}

describe('where some may not read what others may', () => {
  test('a known sha256 is for those alone who may read its image', async () => {
    const bytes = disk(size)
    await send(await editor.createUpload('secret-sent'), bytes)
    const sha256 = digestOf(bytes).slice('sha256:'.length)
    const url = plain.serve('/lost', { status: 404 })
    const told = await failing(outsider, 'guess', url, { checksum: { sha256 } })
    const wrong = { sha256: 'a'.repeat(64) }
    // The same as for bytes that nobody has.
    expect(told).toBe(await failing(outsider, 'guess-again', url, { checksum: wrong }))
    expect(plain.count('/lost')).toBe(2)
    await take(editor, 'known', url, { checksum: { sha256 } })
    expect(plain.count('/lost')).toBe(2)
    // Whoever has somebody else start it again gains nothing by it.
    await editor.retry('guess')
    await editor.reaches('guess', 'Failed')
    expect(plain.count('/lost')).toBe(3)
  })

  test('a 304 over plain HTTP, which anybody could have sent, does not do', async () => {
    const url = plain.serve('/image', { bytes: disk(size, 1), etag })
    await take(editor, 'secret-plain', url)
    await take(outsider, 'fetched', url)
    expect(plain.requests.filter(({ path }) => path === '/image')).toMatchObject([
      { sent: size },
      { sent: size },
    ])
  })

  test.skipIf(!needs('openssl', 'apt-get install openssl'))(
    'a 304 over TLS is the word of the source itself',
    async () => {
      const tls = await certify('IP:127.0.0.1')
      await using neighbour = await startNeighbour({ tls })
      const bytes = disk(size, 2)
      const url = neighbour.serve('/image', (_nth, { headers }) =>
        headers.authorization === undefined ? { status: 401 } : { bytes, etag },
      )
      const caBundle = Buffer.from(tls.ca).toString('base64')
      const auth = (password: string) => ({ basic: { username: 'user', password } })
      await take(editor, 'secret-tls', url, { caBundle, auth: auth('one') })
      expect(await failing(outsider, 'without', url, { caBundle })).toContain('401 Unauthorized')
      await take(outsider, 'shared', url, { caBundle, auth: auth('two') })
      const insecureSkipTLSVerify = true
      await take(outsider, 'unseen', url, { insecureSkipTLSVerify, auth: auth('two') })
      expect(neighbour.requests.map(({ sent }) => sent)).toEqual([size, 0, 0, size])
    },
  )
})
