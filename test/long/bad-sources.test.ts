import { createServer } from 'node:net'
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noise } from '../fixtures/noise.ts'
import { qcow2 } from '../fixtures/qcow2.ts'
import { tar } from '../fixtures/tar.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour, type Play } from '../support/http-neighbour.ts'
import { expectNothing, expectOnly, stagedIn } from '../support/leftovers.ts'
import { readiness } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

let neighbour: Neighbour
let service: Service
const resources = new AsyncDisposableStack()
beforeAll(async () => {
  neighbour = resources.use(await startNeighbour())
  service = resources.use(
    await startService({ SLIPWAY_IMPORT_RETRY_FOR: '1s', SLIPWAY_MAX_IMAGE_SIZE: '8Mi' }),
  )
})
afterAll(() => resources.disposeAsync())

const loginPage = `<!doctype html><title>Sign in</title><form><input type="password"></form>`
const backed = qcow2({ backingOffset: 512n, backingLength: 11 })

type Row = {
  readonly what: string
  readonly play: Play
  readonly code: string
  readonly message: RegExp
  /** Attempts that are seen at the source; one, unless it is tried again. */
  readonly again?: true
  readonly checksum?: { readonly [algorithm: string]: string }
}

const rows: readonly Row[] = [
  {
    what: 'that is not there (404)',
    play: { status: 404 },
    code: 'SOURCE_REFUSED',
    message: /^the source answered 404 Not Found for http:\/\/127.+; check the URL$/,
  },
  {
    what: 'that wants credentials (401)',
    play: { status: 401 },
    code: 'SOURCE_REFUSED',
    message: /^the source answered 401 Unauthorized for .+; check the credentials$/,
  },
  {
    what: 'that never recovers (500)',
    play: { status: 500 },
    code: 'SOURCE_UNAVAILABLE',
    message: /^the source answered 500 Internal Server Error for .+; check that the source is up$/,
    again: true,
  },
  {
    what: 'whose body is shorter than its length',
    play: { bytes: disk(mebibyte), cut: { at: 300_000, how: 'end' } },
    code: 'SOURCE_UNAVAILABLE',
    message: /^the source (?:ended|broke the connection) after 300000 of 1048576 bytes/,
    again: true,
  },
  {
    what: 'whose connection is reset',
    play: { bytes: disk(mebibyte), cut: { at: 300_000, how: 'reset' } },
    code: 'SOURCE_UNAVAILABLE',
    message: /^the source broke the connection after \d+ of 1048576 bytes/,
    again: true,
  },
  {
    what: 'that sends a login page instead of the image',
    play: { bytes: Buffer.from(loginPage), headers: { 'content-type': 'text/html' } },
    code: 'NOT_AN_IMAGE',
    message: /an HTML page that asks to log in; give credentials for the address, or open/,
  },
  {
    what: 'whose checksum is another',
    play: { bytes: disk(mebibyte) },
    checksum: { sha256: '7'.repeat(64) },
    code: 'CHECKSUM_MISMATCH',
    message:
      /^sha256 of the source is [0-9a-f]{64}, expected 7{64}; check the file and the checksum/,
  },
  {
    what: 'with a qcow2 that has a backing file',
    play: { bytes: backed },
    code: 'EXTERNAL_REFERENCE',
    message: /its backing file; make one file of it: qemu-img convert -O qcow2/,
  },
  {
    what: 'that redirects to a metadata address',
    play: { status: 302, headers: { location: 'http://169.254.169.254/latest/meta-data/' } },
    code: 'SOURCE_FORBIDDEN',
    message:
      /^no import may go to 169\.254\.169\.254: .+ SLIPWAY_SOURCE_ALLOW=169\.254\.169\.254\/32/,
  },
  {
    what: 'that redirects to an address that nothing permits',
    play: { status: 307, headers: { location: 'http://0.0.0.0/' } },
    code: 'SOURCE_FORBIDDEN',
    message: /^no import may go to 0\.0\.0\.0: .+; give another URL$/,
  },
  {
    what: 'that says that it is larger than allowed',
    play: { size: 9 * mebibyte },
    code: 'TOO_LARGE',
    message: /^the image has 9Mi or more, at most 8Mi are allowed \(SLIPWAY_MAX_IMAGE_SIZE\)$/,
  },
  {
    what: 'that turns out to be larger than allowed',
    play: { size: 9 * mebibyte, framing: 'chunked' },
    code: 'TOO_LARGE',
    message: /at most 8Mi are allowed/,
  },
  {
    what: 'whose archive is larger than allowed once it is unpacked',
    play: { bytes: gzipSync(Buffer.alloc(9 * mebibyte)) },
    code: 'DECOMPRESSION_LIMIT',
    message: /8Mi|8388608/,
  },
  {
    what: 'with an archive that ends too early',
    play: { bytes: gzipSync(noise(100_000)).subarray(0, 50_000) },
    code: 'CORRUPT_ARCHIVE',
    message: /\w/,
  },
  {
    what: 'with a tar, disks and other files in it',
    play: { bytes: tar([{ name: 'box.ovf', data: Buffer.from('<Envelope/>') }]) },
    code: 'UNSAFE_ARCHIVE',
    message: /\w/,
  },
]

describe('an import ends in Failed from a source', () => {
  test.each(rows)('$what', async ({ play, code, message, again, checksum }) => {
    const url = neighbour.serve('/image', play)
    const before = neighbour.count('/image')
    await service.rest.create('bad', {
      type: 'HTTP',
      http: { url, ...(checksum && { checksum }) },
    })
    const image = await service.rest.reaches('bad', 'Failed')
    const { reason, message: told } = readiness(image)
    expect(told).toMatch(message)
    expect(reason).toBe('ProvisioningFailedTerminally')
    await service.logs.line((line) => line['image'] === 'bad' && line['code'] === code)
    expect(neighbour.count('/image') - before > 1).toBe(again === true)
    expect(await stagedIn(service.folder)).toEqual([])
    await service.rest.delete('bad')
    await expectNothing(service.folder)
    await neighbour.idle()
  })

  test('whose name does not resolve', async () => {
    await service.rest.createFrom('bad', 'http://nowhere.invalid/disk.img')
    const message = 'the host name nowhere.invalid does not resolve; check the URL'
    const trying = await service.rest.until('bad', ({ status }) => status.retries === 1)
    expect(readiness(trying)).toMatchObject({ reason: 'ProvisioningFailed', message })
    const image = await service.rest.reaches('bad', 'Failed')
    expect(readiness(image)).toMatchObject({ reason: 'ProvisioningFailedTerminally', message })
    await service.rest.delete('bad')
    await expectNothing(service.folder)
  })

  test('where nobody listens', async () => {
    await service.rest.createFrom('bad', `http://127.0.0.1:${await shutPort()}/disk.img`)
    const image = await service.rest.reaches('bad', 'Failed')
    expect(readiness(image).message).toMatch(
      /^no connection to 127\.0\.0\.1.*: it refuses connections; check that the source is up$/,
    )
    await service.rest.delete('bad')
    await expectNothing(service.folder)
  })
})

describe('an import goes on', () => {
  test('when a source that answered 500 recovers', async () => {
    const bytes = disk(mebibyte)
    const url = neighbour.serve('/recovers', (nth) => (nth === 1 ? { status: 500 } : { bytes }))
    await service.rest.createFrom('patient', url)
    const trying = await service.rest.until('patient', ({ status }) => status.retries === 1)
    expect(trying.status.phase).toBe('Provisioning')
    expect(trying.status.nextRetryAt).toMatch(/Z$/)
    expect(readiness(trying)).toMatchObject({
      reason: 'ProvisioningFailed',
      message: expect.stringContaining('the source answered 500 Internal Server Error'),
    })
    const { status } = await service.rest.ready('patient')
    expect(status).not.toHaveProperty('nextRetryAt')
    await expectOnly(service.folder, ['patient'])
    await service.rest.delete('patient')
    await expectNothing(service.folder)
  })

  test('when a failed image is started again', async () => {
    const url = neighbour.serve('/mended', { status: 404 })
    await service.rest.createFrom('mended', url)
    await service.rest.reaches('mended', 'Failed')
    neighbour.serve('/mended', { bytes: disk(mebibyte) })
    await service.rest.retry('mended')
    await service.rest.ready('mended')
    await expectOnly(service.folder, ['mended'])
    await service.rest.delete('mended')
  })
})

/** A port that was free just now. */
async function shutPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 1
}
