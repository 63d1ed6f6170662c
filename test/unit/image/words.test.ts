import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dataSourceSchema } from '../../../src/image/data-source.ts'
import { digestOf, isDigest, parseDigest } from '../../../src/image/digest.ts'
import { formatDuration, formatSpan, parseDuration } from '../../../src/image/duration.ts'
import { isRepository, isTag, nameProblem } from '../../../src/image/name.ts'
import { assertTransition, mayBecome, phases } from '../../../src/image/phase.ts'
import { formatSize, parseSize } from '../../../src/image/size.ts'

const problems = (source: unknown) =>
  dataSourceSchema
    .safeParse(source)
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []

describe('sizes', () => {
  test.each([
    [0, '0B'],
    [5, '5B'],
    [1023, '1023B'],
    [1024, '1Ki'],
    [1536, '1.5Ki'],
    [299_766_272, '285.9Mi'],
    [2_361_393_152, '2.2Gi'],
    [1024 ** 3 - 1, '1Gi'],
    [1024 ** 4, '1Ti'],
    [3 * 1024 ** 5, '3Pi'],
    [5000 * 1024 ** 5, '5000Pi'],
  ])('%d bytes are shown as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text)
  })

  test.each([
    ['512', 512],
    ['64Mi', 64 * 1024 ** 2],
    ['1.5Gi', 1.5 * 1024 ** 3],
    ['1Ti', 1024 ** 4],
    ['16TiB', 16 * 1024 ** 4],
    ['1.3', null],
    ['-1', null],
    ['1G', null],
    ['', null],
    ['9Pi1', null],
    ['99999999Pi', null],
  ])('%j is read as %j', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })
})

describe('durations', () => {
  test.each([
    ['250ms', 250],
    ['2s', 2000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['15', null],
    ['m', null],
    ['1.5h', null],
    ['-1s', null],
  ])('%j is read as %j milliseconds', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  test.each([
    [0, '0s'],
    [59, '59s'],
    [60, '1m'],
    [80, '1m20s'],
    [3599, '59m59s'],
    [3601, '1h'],
    [7500, '2h5m'],
    [86_400, '1d'],
    [273_600, '3d4h'],
  ])('%j seconds are told as %j', (seconds, text) => {
    expect(formatSpan(seconds)).toBe(text)
  })

  test('come back as they were written, in the largest exact unit', () => {
    expect(formatDuration(900_000)).toBe('15m')
    expect(formatDuration(1500)).toBe('1500ms')
    expect(formatDuration(0)).toBe('0ms')
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 900_000_000 }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds)
      }),
    )
  })
})

describe('names', () => {
  test.each(['a', '0', 'ubuntu-img', 'a'.repeat(200), 'a--b'])('%s is an image name', (name) => {
    expect(nameProblem(name)).toBeNull()
    expect(isRepository(`cvi/${name}`) || name.includes('--')).toBe(true)
  })

  test.each(['', 'A', '-a', 'a-', 'a.b', 'a_b', 'a/b', 'ä', 'a'.repeat(201), '../etc'])(
    '%j is none',
    (name) => {
      expect(nameProblem(name)).not.toBeNull()
    },
  )

  test('every image name makes a repository name', () => {
    const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/)
    fc.assert(
      fc.property(name, (text) => {
        expect(nameProblem(text)).toBeNull()
        expect(isRepository(`cvi/${text}`)).toBe(true)
      }),
    )
  })

  test.each(['cvi/', '/cvi', 'cvi//a', 'Cvi/a', 'cvi/../a', '_tags', 'a'.repeat(256)])(
    '%j is no repository',
    (name) => {
      expect(isRepository(name)).toBe(false)
    },
  )

  test('tags are what the specification says', () => {
    expect(['latest', '_x', 'A.b-c', '1'].every(isTag)).toBe(true)
    expect(['', '.a', '-a', 'a/b', 'a'.repeat(129)].some(isTag)).toBe(false)
  })
})

describe('digests', () => {
  test('are checked for algorithm, length and case', () => {
    expect(isDigest(digestOf(Buffer.from('x')))).toBe(true)
    expect(isDigest(digestOf(Buffer.from('x'), 'sha512'))).toBe(true)
    expect(isDigest(`sha256:${'A'.repeat(64)}`)).toBe(false)
    expect(isDigest(`md5:${'a'.repeat(32)}`)).toBe(false)
    expect(() => parseDigest('sha256:../../x')).toThrow(/no digest/)
  })
})

describe('phases', () => {
  test('follow the life of an image and nothing else', () => {
    expect(mayBecome('Provisioning', 'Ready')).toBe(true)
    expect(mayBecome('Ready', 'Provisioning')).toBe(false)
    expect(mayBecome('Failed', 'Ready')).toBe(false)
    expect(mayBecome('WaitForUserUpload', 'Ready')).toBe(false)
    expect(() => assertTransition('Terminating', 'Ready')).toThrow(/cannot go from/)
  })

  test('lead from everywhere to deletion, and from there nowhere', () => {
    for (const phase of phases) {
      expect(mayBecome(phase, 'Terminating')).toBe(true)
      expect(mayBecome('Terminating', phase)).toBe(phase === 'Terminating')
    }
  })
})

describe('data sources', () => {
  test.each([
    { type: 'HTTP', http: { url: 'https://example.com/~a/b%20c.img?x=1#frag' } },
    { type: 'HTTP', http: { url: 'http://user:secret@[2001:db8::1]:8080/a' } },
    {
      type: 'HTTP',
      http: { url: 'http://a/b', checksum: { md5: 'a'.repeat(32), sha512: 'F'.repeat(128) } },
    },
    { type: 'HTTP', http: { url: 'http://a/b', auth: { headers: { 'X-Key': 'abc' } } } },
    { type: 'Upload' },
    { type: 'Upload', upload: { checksum: { sha1: '0'.repeat(40) } } },
    { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name: 'other' } },
    { type: 'ContainerImage', containerImage: { image: 'docker.io/a/b:latest' } },
  ])('%j is taken', (source) => {
    expect(problems(source)).toEqual([])
  })

  test.each([
    [{ type: 'HTTP' }, 'http: HTTP requires http'],
    [{ type: 'HTTP', http: { url: 'ftp://a/b' } }, 'http.url: must be an http or https URL'],
    [{ type: 'HTTP', http: { url: 'a/b' } }, 'http.url: must be an http or https URL'],
    [
      { type: 'HTTP', http: { url: 'http://a/b' }, upload: {} },
      'upload: does not belong to type HTTP; give exactly one section, http',
    ],
    [
      { type: 'HTTP', http: { url: 'http://a/b', checksum: { sha256: 'abc' } } },
      'http.checksum.sha256: a sha256 checksum is 64 hex characters',
    ],
    [
      { type: 'HTTP', http: { url: 'http://a/b', auth: { headers: { Host: 'x' } } } },
      'http.auth.headers.Host: Invalid key in record',
    ],
    [
      { type: 'HTTP', http: { url: 'http://a/b', auth: { headers: { a: 'b\r\nc: d' } } } },
      'http.auth.headers.a: holds a line break or a control character',
    ],
    [
      { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name: 'A' } },
      'objectRef.name: ',
    ],
  ])('%j is refused with the field', (source, problem) => {
    expect(problems(source).join('\n')).toContain(problem)
  })

  test('checksums are compared in lower case', () => {
    const source = dataSourceSchema.parse({
      type: 'Upload',
      upload: { checksum: { md5: 'A'.repeat(32) } },
    })
    expect(source.upload?.checksum?.md5).toBe('a'.repeat(32))
  })
})
