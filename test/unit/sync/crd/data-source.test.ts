import { Ajv } from 'ajv'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dataSourceSchema } from '../../../../src/image/data-source.ts'
import { referencePattern, referenceProblem } from '../../../../src/image/reference.ts'
import { clusterVirtualImage } from '../../../../src/sync/crd/cluster-virtual-image.ts'
import { structural } from '../../../../src/sync/crd/structural.ts'

const schema = structural(clusterVirtualImage.spec, 'closed')

/** As the API server reads it; rules in CEL are tried with the real one. */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const ajv = new Ajv({ strict: false, formats: { byte: base64, int64: true } })
const validate = ajv.compile(schema)

const admits = (dataSource: unknown) => validate({ dataSource })
const isTaken = (dataSource: unknown) => dataSourceSchema.safeParse(dataSource).success

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-fA-F]{${length}}$`))
const checksum = fc.record(
  { md5: hex(32), sha1: hex(40), sha256: hex(64), sha512: hex(128) },
  { requiredKeys: [] },
)
const marker = '-----BEGIN CERTIFICATE-----'
const pem = fc
  .tuple(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }))
  .map(([before, after]) => Buffer.concat([before, Buffer.from(marker), after]))
const caBundle = pem.map((bytes) => bytes.toString('base64'))

const url = fc.oneof(
  fc.webUrl({ validSchemes: ['http', 'https'], withFragments: true, withQueryParameters: true }),
  fc.constantFrom(
    'http://[::1]:8080/~a/b%20c.img#x',
    'https://user:p%40ss@example.com/?a=b&c=%',
    `https://example.com/${'a'.repeat(8000)}`,
  ),
)

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/)
const host = fc.constantFrom('', 'docker.io/', 'localhost:5000/', 'R.example.COM/', '[::1]:5000/')
const path = fc.array(
  fc.tuple(word, fc.constantFrom('', '.x', '__y', '--z')).map((t) => t.join('')),
  {
    minLength: 1,
    maxLength: 4,
  },
)
const ending = fc.constantFrom('', ':1', ':Tag_1.x-y', `@sha256:${'0'.repeat(64)}`)
const image = fc
  .tuple(fc.constantFrom('', 'docker://', 'Docker://'), host, path, ending)
  .map(([scheme, host, parts, end]) => `${scheme}${host}${parts.join('/')}${end}`)

const trust = { caBundle, insecureSkipTLSVerify: fc.boolean() }
const http = fc.record({ url, checksum, ...trust }, { requiredKeys: ['url'] })
const platform = fc.constantFrom('linux/amd64', 'linux/arm/v7', 'windows/amd64')
const containerImage = fc.record({ image, platform, ...trust }, { requiredKeys: ['image'] })
const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,198}[a-z0-9])?$/)
const upload = fc.record({ checksum }, { requiredKeys: [] })
const dataSource = fc.oneof(
  http.map((http) => ({ type: 'HTTP', http })),
  containerImage.map((containerImage) => ({ type: 'ContainerImage', containerImage })),
  fc.record({ type: fc.constant('Upload'), upload }, { requiredKeys: ['type'] }),
  name.map((name) => ({ type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name } })),
)

const httpOf = (section: object) => ({ type: 'HTTP', http: { url: 'http://x', ...section } })
const imageOf = (section: object) => ({
  type: 'ContainerImage',
  containerImage: { image: 'x', ...section },
})
const a = (length: number) => 'a'.repeat(length)

describe("the resource's data source", () => {
  test('takes what REST takes', () => {
    fc.assert(
      fc.property(dataSource, (dataSource) => {
        expect(isTaken(dataSource)).toBe(true)
        expect([admits(dataSource), validate.errors]).toEqual([true, null])
      }),
    )
  })

  test.each<[string, object]>([
    ['no type', {}],
    ['a type that is none', { type: 'Tape' }],
    ['no URL', { type: 'HTTP', http: {} }],
    ['a URL of another scheme', httpOf({ url: 'ftp://x/y' })],
    ['a URL without a scheme', httpOf({ url: 'example.com/x' })],
    ['a URL without a host', httpOf({ url: 'http://' })],
    ['a URL that is too long', httpOf({ url: `http://x/${a(8184)}` })],
    ...[32, 40, 64, 128].flatMap((length, nth) => {
      const algorithm = ['md5', 'sha1', 'sha256', 'sha512'][nth] ?? ''
      return [length - 1, length + 1].map(
        (wrong) =>
          [`${algorithm} of ${wrong}`, httpOf({ checksum: { [algorithm]: a(wrong) } })] satisfies [
            string,
            object,
          ],
      )
    }),
    ['a checksum that is no hex', httpOf({ checksum: { md5: `${a(31)}g` } })],
    ['a checksum of an upload', { type: 'Upload', upload: { checksum: { md5: 'a' } } }],
    ['certificates that are no base64', httpOf({ caBundle: marker })],
    ['certificates that are too long', httpOf({ caBundle: a(262_148) })],
    ['a flag that is a text', httpOf({ insecureSkipTLSVerify: 'true' })],
    ['no image', { type: 'ContainerImage', containerImage: {} }],
    ['an image that is too long', imageOf({ image: a(1025) })],
    ['a platform that is none', imageOf({ platform: 'amd64' })],
    ['a platform in upper case', imageOf({ platform: 'Linux/amd64' })],
    ['a platform that is too long', imageOf({ platform: `linux/${a(95)}` })],
    ['no name', { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage' } }],
    ['an empty name', { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name: '' } }],
    [
      'a name in upper case',
      { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name: 'A' } },
    ],
    ['a kind that is none', { type: 'ObjectRef', objectRef: { kind: 'Secret', name: 'a' } }],
  ])('refuses, as REST does, %s', (_, dataSource) => {
    expect(isTaken(dataSource)).toBe(false)
    expect(admits(dataSource)).toBe(false)
  })

  test.each(['VirtualImage', 'VirtualDisk', 'VirtualDiskSnapshot'])(
    'takes what is a %s, for the companion to say that it cannot follow it',
    (kind) => {
      const objectRef = { kind, name: 'a.b', namespace: 'default' }
      expect(admits({ type: 'ObjectRef', objectRef })).toBe(true)
    },
  )
})

describe('the pattern of a reference', () => {
  test('matches every reference', () => {
    const pattern = new RegExp(referencePattern)
    const anything = fc.stringMatching(/^[aB0.:/@_[\]-]{0,12}$/)
    fc.assert(
      fc.property(fc.oneof(image, anything), (text) => {
        if (referenceProblem(text) === null) expect(text).toMatch(pattern)
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    '',
    'UPPER',
    'a b',
    'https://r.example.com/a',
    'a:b:c',
    'a//b',
    '/a',
    'a@sha256:0',
    'a:-b',
    '-a/b',
  ])('does not match %j', (text) => {
    expect(referenceProblem(text)).not.toBeNull()
    expect(text).not.toMatch(new RegExp(referencePattern))
  })
})

describe('the rule on certificates', () => {
  const [rule] = rulesAt('caBundle')
  const texts = [...(rule?.matchAll(/'([^']+)'/g) ?? [])].map(([, text = '']) => text)

  test('finds the beginning of a certificate wherever it stands, and nothing else', () => {
    expect(texts).toHaveLength(3)
    const isFound = (bytes: Buffer) => texts.some((text) => bytes.toString('base64').includes(text))
    fc.assert(
      fc.property(pem, fc.uint8Array({ maxLength: 100 }), (bytes, noise) => {
        expect(isFound(bytes)).toBe(true)
        expect(isFound(Buffer.from(noise))).toBe(Buffer.from(noise).includes(marker))
      }),
    )
  })
})

function rulesAt(field: string): string[] {
  const { properties: { http } = {} } = schema.properties?.['dataSource'] ?? {}
  const rules = http?.properties?.[field]?.['x-kubernetes-validations']
  return Array.isArray(rules) ? rules.map(({ rule }) => String(rule)) : []
}
