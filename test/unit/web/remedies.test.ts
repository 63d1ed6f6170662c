import { describe, expect, test } from 'vitest'
import { compare } from '../../../src/work/checksums.ts'
import { forbidden } from '../../../src/source/address.ts'
import { remedies, remedyOf } from '../../../src/serve/web/browser/remedies.js'
import { failedOf, imageOf, sourceText, statusOf } from './images.ts'

const http = { type: 'HTTP', http: { url: 'https://example.com/a.img' } } as const
const container = { type: 'ContainerImage', containerImage: { image: 'example.com/a' } } as const
const upload = { type: 'Upload' } as const
const terminally = 'ProvisioningFailedTerminally'

function remedyFor(
  dataSource: typeof http | typeof container | typeof upload,
  message: string,
  reason = terminally,
) {
  const remedy = remedyOf(imageOf('a', { dataSource, status: failedOf(reason, message) }))
  return remedy?.text ?? ''
}

function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof Error) return error.message
  }
  throw new Error('it has not failed')
}

describe('remedies', () => {
  test('are of reasons that there are', () => {
    const reasons = sourceText('image/phase.ts')
    for (const { reason } of remedies) expect(reasons).toContain(`'${reason}'`)
  })

  test('are each reached, as the first that fits', () => {
    const messages = [
      'sha256 of the source is 1f, expected 78; check the file',
      'the source answered 401 Unauthorized for https://example.com/; check the credentials',
      'the source answered 404 Not Found for https://example.com/; check the URL',
      'the registry has no such image as example.com/a; check repository and tag',
      'no import may go to 10.0.0.1: private; give another URL',
      'the certificate of example.com has expired',
      'the image is encrypted and nobody could start from it',
      'the image has 9Gi or more, at most 1Gi are allowed (SLIPWAY_MAX_IMAGE_SIZE)',
      'the storage is full; free space or enlarge it',
      'something else',
    ]
    const sources = [http, container, upload, { type: 'ObjectRef' } as const]
    const reasons = [...new Set(remedies.map(({ reason }) => reason))]
    const reached = new Set(
      reasons.flatMap((reason) =>
        sources.flatMap((dataSource) =>
          messages.map((message) =>
            remedyOf(imageOf('a', { dataSource, status: failedOf(reason, message) })),
          ),
        ),
      ),
    )
    expect(remedies.filter((remedy) => !reached.has(remedy))).toEqual([])
  })

  test('fit what the service says of a wrong checksum', () => {
    const found = { md5: '', sha1: '', sha256: 'b', sha512: '' }
    const message = messageOf(() => compare(found, { sha256: 'a' }))
    expect(remedyFor(http, message)).toContain('Compare the checksum')
    expect(remedyFor(upload, message)).toContain('Ask for a new upload')
  })

  test('fit what the service says of an address that is not allowed', () => {
    const { message } = forbidden({ answer: 'refused', subject: 'a', rule: 'b', lift: null })
    expect(remedyFor(http, message)).toContain('decides where images may come from')
  })

  test.each([
    ['source/status.ts', 'check the credentials'],
    ['source/registry/manifest.ts', 'the registry has no such image as'],
    ['source/breaks.ts', 'the certificate of '],
    ['inspect/qcow2.ts', 'the image is encrypted'],
    ['work/room.ts', '(SLIPWAY_MAX_IMAGE_SIZE)'],
    ['work/room.ts', 'but the storage has only '],
    ['work/room.ts', '(SLIPWAY_STORAGE_LIMIT)'],
    ['errors.ts', 'the storage is full'],
  ])('go by words that %s really says: %s', (path, words) => {
    expect(sourceText(path)).toContain(words)
  })

  test('are none for what is Ready, only waits, or is being deleted', () => {
    expect(remedyOf(imageOf('a'))).toBe(null)
    expect(remedyFor(upload, 'waiting for the upload to begin', 'WaitForUserUpload')).toBe('')
    const status = statusOf({ ...failedOf(terminally, 'x'), phase: 'Terminating' })
    expect(remedyOf(imageOf('a', { status }))).toBe(null)
  })
})
