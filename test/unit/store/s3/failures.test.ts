import { S3ServiceException } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { Outage } from '../../../../src/errors.ts'
import { failureOf, isMissing } from '../../../../src/store/s3/failures.ts'

const at = { bucket: 'images', endpoint: 'http://s3.example.com' }

function said(name: string, httpStatusCode: number) {
  return new S3ServiceException({ name, $fault: 'client', $metadata: { httpStatusCode } })
}

function named(name: string) {
  return Object.assign(new Error('never shown'), { name })
}

describe('what S3 says', () => {
  test.each([
    [said('NoSuchBucket', 404), 'STORAGE_UNAVAILABLE', 'there is no bucket "images"'],
    [said('SignatureDoesNotMatch', 403), 'STORAGE_UNAVAILABLE', 'check the credentials'],
    [named('CredentialsProviderError'), 'STORAGE_UNAVAILABLE', 'there are no credentials'],
    [said('UserNotFound', 404), 'STORAGE_UNAVAILABLE', '(UserNotFound, 404); check SLIPWAY_S3_END'],
    [said('TooManyRequests', 429), 'STORAGE_UNAVAILABLE', '(TooManyRequests, 429); try again'],
    [said('SlowDown', 503), 'STORAGE_UNAVAILABLE', '(SlowDown, 503); try again'],
    [
      Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
      'STORAGE_UNAVAILABLE',
      'cannot be reached (ECONNREFUSED); check SLIPWAY_S3_ENDPOINT',
    ],
    [
      Object.assign(new Error('never shown'), { $metadata: { httpStatusCode: 502 } }),
      'STORAGE_UNAVAILABLE',
      '(no answer of S3, 502); try again',
    ],
    [said('QuotaExceeded', 403), 'STORAGE_FULL', 'raise its quota'],
    [said('XMinioStorageFull', 507), 'STORAGE_FULL', 'takes no more bytes'],
  ])('%s is told as %s', (error, code, words) => {
    const failure = failureOf(error, at)
    expect(failure).toMatchObject({ code, cause: error })
    expect(failure.message).toContain(words)
    expect(failure.message).toContain('images')
    expect(failure.message).not.toContain('never shown')
  })

  test.each([
    [said('NoSuchKey', 404), true],
    [said('NoSuchUpload', 404), true],
    [said('NoSuchBucket', 404), false],
    // A road on which nobody knows the server, with an empty body.
    [said('NotFound', 404), false],
    [said('AccessDenied', 403), false],
  ])('%s is no object: %s', (error, isNone) => {
    expect(isMissing(error)).toBe(isNone)
  })

  test('is passed on where it is a failure of ours', () => {
    const ours = new Outage('STORAGE_FULL', 'known')
    expect(failureOf(ours, at)).toBe(ours)
  })
})
