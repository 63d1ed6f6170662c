import { Validator } from '@seriousme/openapi-schema-validator'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Outage, Refusal } from '../../../src/errors.ts'
import { openApiDocument } from '../../../src/serve/api/document.ts'
import { matches } from '../../../src/serve/bytes.ts'
import { failureHeaders, problemBody } from '../../../src/serve/problem.ts'
import { parseRanges } from '../../../src/serve/ranges.ts'

describe('ranges', () => {
  test.each([
    ['bytes=0-0', [{ start: 0, end: 0 }]],
    ['bytes=5-', [{ start: 5, end: 99 }]],
    ['bytes=-10', [{ start: 90, end: 99 }]],
    ['bytes=-1000', [{ start: 0, end: 99 }]],
    ['bytes=90-1000', [{ start: 90, end: 99 }]],
    [
      'BYTES=1-2, 4-5',
      [
        { start: 1, end: 2 },
        { start: 4, end: 5 },
      ],
    ],
    ['bytes=100-', []],
    ['bytes=-0', []],
    ['bytes=0-1,200-300', [{ start: 0, end: 1 }]],
    ['bytes=5-4', []],
    ['bytes=-', null],
    ['bytes=a-b', null],
    ['lines=0-1', null],
    [undefined, null],
    [`bytes=${'0-0,'.repeat(100)}0-0`, null],
  ])('%j of 100 bytes are %j', (header, ranges) => {
    expect(parseRanges(header, 100)).toEqual(ranges)
  })

  test('never leave the file, whatever the header says', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(1000), (text, size) => {
        for (const { start, end } of parseRanges(`bytes=${text}`, size) ?? []) {
          expect(start).toBeGreaterThanOrEqual(0)
          expect(end).toBeLessThan(size)
          expect(start).toBeLessThanOrEqual(end)
        }
      }),
    )
  })
})

describe('conditions', () => {
  test('match one of several tags, weak ones and the star', () => {
    expect(matches('"a", W/"b"', '"b"')).toBe(true)
    expect(matches('*', '"b"')).toBe(true)
    expect(matches('"a"', '"b"')).toBe(false)
    expect(matches(undefined, '"b"')).toBe(false)
  })
})

describe('a problem', () => {
  test('is one line that begins with what to do', () => {
    const body = problemBody(
      new Refusal('TOO_LARGE', 'the image has "2Ti"\nor more', { cause: new Error('secret') }),
    )
    expect(body).toMatch(/^\{"detail":"the image has /)
    expect(body.indexOf('\n')).toBe(body.length - 1)
    expect(body).not.toContain('secret')
    expect(JSON.parse(body)).toMatchObject({ code: 'TOO_LARGE', status: 413 })
  })
})

describe('when to come again', () => {
  test.each([
    ['a 503 says it, should nobody know when that is', new Outage('SHUTTING_DOWN', 'x'), '5'],
    ['what knows it says it', new Outage('STORAGE_UNAVAILABLE', 'x', { retryAfter: 1500 }), '2'],
    ['other answers are silent', new Refusal('NOT_FOUND', 'x'), undefined],
  ])('%s', (_, failure, seconds) => {
    expect(failureHeaders(failure)['retry-after']).toBe(seconds)
  })
})

describe('the OpenAPI document', () => {
  test('is valid and knows every field of a data source', async () => {
    const document = JSON.parse(JSON.stringify(openApiDocument('1.2.3')))
    const { valid, errors } = await new Validator().validate(document)
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
    expect(JSON.stringify(document)).toContain('insecureSkipTLSVerify')
    expect(Object.keys(document.paths)).toContain('/api/v1/images/{name}/disk')
  })
})
