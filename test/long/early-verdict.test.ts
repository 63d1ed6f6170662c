import { execFileSync } from 'node:child_process'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noise } from '../fixtures/noise.ts'
import { qcow2 } from '../fixtures/qcow2.ts'
import { bytesAt } from '../fixtures/raw.ts'
import { vdi } from '../fixtures/vdi.ts'
import { dynamicVhd } from '../fixtures/vhd.ts'
import { vhdx } from '../fixtures/vhdx.ts'
import { descriptor, vmdk } from '../fixtures/vmdk.ts'
import { mebibyte } from '../support/disks.ts'
import { forever, startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { expectNothing } from '../support/leftovers.ts'
import { needs } from '../support/programs.ts'
import { readiness } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

let neighbour: Neighbour
let service: Service
const resources = new AsyncDisposableStack()
beforeAll(async () => {
  neighbour = resources.use(await startNeighbour())
  service = resources.use(await startService())
})
afterAll(() => resources.disposeAsync())

const long = 40 * mebibyte
const followed = (start: Buffer) => Buffer.concat([start, noise(long - start.length)])
/** Longer than what is shown of it, in any wrapping. */
const wrapped = qcow2({ backingOffset: 512n, backingLength: 11, length: 4 * mebibyte })
noise(3 * mebibyte).copy(wrapped, mebibyte)
const child = followed(qcow2({ backingOffset: 512n, backingLength: 11 }))

function piped(program: string, bytes: Buffer): Buffer {
  return execFileSync(program, ['-c', '-1'], { input: bytes, maxBuffer: 2 * long })
}

type Row = readonly [what: string, bytes: () => Buffer, code: string]

const rows: readonly Row[] = [
  ['a qcow2 with a backing file', () => child, 'EXTERNAL_REFERENCE'],
  ['an encrypted qcow2', () => followed(qcow2({ encryption: 2 })), 'ENCRYPTED_IMAGE'],
  [
    'a qcow2 of 8 EiB',
    () => followed(qcow2({ size: 2n ** 63n, l1Entries: 4_194_304 })),
    'VIRTUAL_SIZE_LIMIT',
  ],
  [
    'a VMDK with another file in it',
    () => followed(vmdk({}, descriptor({ extents: ['RW 4 FLAT "/etc/passwd" 0'] }))),
    'EXTERNAL_REFERENCE',
  ],
  ['a VDI that is a difference', () => followed(vdi({ type: 4 })), 'EXTERNAL_REFERENCE'],
  ['a VHD that is a difference', () => followed(dynamicVhd({ type: 4 })), 'EXTERNAL_REFERENCE'],
  ['a VHDX with a log to replay', () => followed(vhdx({ logged: [1] })), 'INVALID_HEADER'],
  ['LUKS', () => followed(bytesAt(0, 'LUKS\xba\xbe\0\x02')), 'ENCRYPTED_IMAGE'],
  ['QED', () => followed(bytesAt(0, 'QED\0')), 'UNSUPPORTED_FORMAT'],
  ['a login page', () => followed(Buffer.from('<html>Sign in'.repeat(9000))), 'NOT_AN_IMAGE'],
  ['a qcow2 with a backing file in gzip', () => gzipSync(wrapped), 'EXTERNAL_REFERENCE'],
  ['a qcow2 with a backing file in zstd', () => zstdCompressSync(wrapped), 'EXTERNAL_REFERENCE'],
  ['a qcow2 with a backing file in xz', () => piped('xz', wrapped), 'EXTERNAL_REFERENCE'],
  ['a qcow2 with a backing file in bzip2', () => piped('bzip2', wrapped), 'EXTERNAL_REFERENCE'],
]

const programs = needs('xz', 'apt-get install xz-utils') && needs('bzip2', 'apt-get install bzip2')

describe.skipIf(!programs)('the verdict falls while the source has', () => {
  test.each(rows)('sent no more than 1 MiB of %s', async (_what, bytes, code) => {
    // The source stands still there, for ever: only what came before can have told.
    const pause = { at: 900_000, until: forever }
    const url = neighbour.serve('/slow', { bytes: bytes(), pause })
    neighbour.requests.splice(0)
    await service.rest.createFrom('early', url)
    await service.rest.reaches('early', 'Failed')
    await service.logs.line((line) => line['image'] === 'early' && line['code'] === code)
    expect(neighbour.requests[0]?.sent).toBeLessThanOrEqual(mebibyte)
    await service.rest.delete('early')
    await expectNothing(service.folder)
    await neighbour.idle()
    service.logs.lines.splice(0)
  })
})

describe.skipIf(!needs('curl', 'apt-get install curl'))('curl', () => {
  test.each([
    ['announced', []],
    ['not announced', ['-H', 'Transfer-Encoding: chunked']],
    ['announced without asking', ['-H', 'Expect:']],
  ])('shows why its upload (%s) is refused, long before it has sent all', async (_how, options) => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'child.qcow2')
    await writeFile(path, child)
    await using file = await open(path, 'r+')
    await file.truncate(4 * 1024 * mebibyte)
    const url = await service.rest.createUpload('child')
    const args = ['-s', '-S', ...options, '-w', '%{http_code} %{size_upload}', url, '-T', path]
    const { stdout } = await attempt('curl', args)
    const [line = '', told = ''] = stdout.split('\n')
    expect(line).toMatch(/^\{"detail":"the image is only the difference to another file/)
    const [status, sent] = told.split(' ')
    expect(status).toBe('422')
    // What lies in the buffers of two sockets counts as sent.
    expect(Number(sent)).toBeLessThan(64 * mebibyte)
    const failed = await service.logs.line((entry) => entry['msg'] === 'upload failed')
    expect(Number(failed['received'])).toBeLessThanOrEqual(mebibyte)
    const image = await service.rest.reaches('child', 'Failed')
    expect(readiness(image).message).toContain('the difference to another file')
    await service.rest.delete('child')
    await expectNothing(service.folder)
    service.logs.lines.splice(0)
  })
})
