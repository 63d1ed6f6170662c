import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { get, send } from '../support/rest.ts'
import { needsS3, s3Variables, startS3, type S3 } from '../support/s3.ts'
import { serveOn, startService } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { startTlsFront } from '../support/tls-front.ts'
import { certify, type Certificates } from '../unit/source/certificates.ts'

const able = [needsS3(), needs('openssl', 'apt-get install openssl')].every(Boolean)

let s3: S3
let certificates: Certificates

beforeAll(async () => {
  if (able) [s3, certificates] = await Promise.all([startS3(), certify('IP:127.0.0.1')])
})
afterAll(() => s3?.[Symbol.asyncDispose]())

/** The S3 server behind TLS of a private CA. */
async function startTls() {
  const front = await startTlsFront(certificates, () => s3.endpoint)
  return {
    endpoint: `https://127.0.0.1:${front.port}`,
    [Symbol.asyncDispose]: () => front[Symbol.asyncDispose](),
  }
}

describe.skipIf(!able)('an S3 server behind TLS of a private CA', () => {
  test('is trusted by SSL_CERT_FILE, and takes and gives back an image', async () => {
    await using held = new AsyncDisposableStack()
    const { endpoint } = held.use(await startTls())
    const folder = held.use(await temporaryFolder())
    const ca = join(folder.path, 'ca.crt')
    await writeFile(ca, certificates.ca)
    const variables = { ...s3Variables(endpoint, s3.bucket, 'tls'), SSL_CERT_FILE: ca }
    const service = held.use(await startService(variables))
    const bytes = disk(20 * mebibyte)
    expect((await send(await service.rest.createUpload('a'), bytes)).status).toBe(201)
    const read = await get(service.rest.url('/a/disk'))
    expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true)
  })

  test('stops the start with one line where it is not trusted', async () => {
    await using held = new AsyncDisposableStack()
    const { endpoint } = held.use(await startTls())
    const folder = held.use(await temporaryFolder())
    const { args, env } = serveOn(folder.path, s3Variables(endpoint, s3.bucket, 'tls'))
    const { code, stderr } = await attempt(process.execPath, args, { env })
    expect(code).toBe(2)
    expect(stderr).toContain(`the certificate of the storage at ${endpoint} is not trusted`)
    expect(stderr).toContain('SSL_CERT_FILE')
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})
