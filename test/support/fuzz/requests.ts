import { gzipSync } from 'node:zlib'
import { digestOf } from '../../../src/image/digest.ts'
import type { Random } from '../random.ts'
import { broken, noObjects, odd } from './bad-json.ts'
import { mutated } from './values.ts'
import type { Asking } from './wire-client.ts'

/** What there is that requests may name. */
export type World = {
  /** Of the OpenAPI document. */
  readonly operations: readonly [Operation, ...Operation[]]
  /** Images, the first of which must be kept. */
  readonly images: readonly [string, ...string[]]
  readonly tokens: readonly [string, ...string[]]
  readonly digests: readonly [string, ...string[]]
  /** Ids of pushes that are under way in `repository`. */
  readonly sessions: readonly [string, ...string[]]
  readonly repository: string
  readonly etag: string
  readonly authorizations: readonly [string, ...string[]]
}
export type Operation = { readonly method: string; readonly path: string }
type Pick = readonly [string, ...string[]]

const methods: Pick = [
  'GET',
  'HEAD',
  'PUT',
  'POST',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'LOCK',
  'M-SEARCH',
]
/** What changes nothing that is kept. */
const reading = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'LOCK', 'M-SEARCH'])

const badSegments: Pick = [
  '',
  '.',
  '..',
  '%2e',
  '%2e%2e',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '..%2f',
  '%5c..%5c',
  '%00',
  'a%00b',
  '%',
  '%zz',
  '%c0%af',
  '%ff',
  '%F0%9F%98%80',
  '%0d%0aX-Own:%20y',
  '%20',
  '+',
  ';a=b',
  '\\',
  '"',
  '<script>',
  'ü',
  '*',
  '~',
  '__proto__',
  'constructor',
  'toString',
  'undefined',
  'null',
  '-1',
  '0',
  '${7*7}',
  '{name}',
  'x'.repeat(201),
  'x'.repeat(6000),
  'ö'.repeat(300),
  'sha256:',
  'sha256%3A',
  'a:b@c',
  '%25%32%65',
  '%u002e',
  '%EF%BC%8F',
  '%E2%80%AE',
  'CON',
  '.git',
  'latest',
  '_catalog',
  'uploads',
  'tags',
  'list',
  'blobs',
  'v2',
]
const values: Pick = [
  '',
  '0',
  '1',
  '-1',
  '1e9',
  '99999999999999999999',
  '0x10',
  '1.5',
  'NaN',
  'null',
  'true',
  '%00',
  '%',
  '%zz',
  '%F0%9F',
  '%FF',
  'x'.repeat(5000),
  '../..',
  '[]',
  '{}',
  '{"a":1}',
  "'--",
  'ü',
  'a,b',
  ' ',
  '%20',
  '+1',
  '%D9%A3',
]
const queryNames: Pick = [
  'limit',
  'continue',
  'phase',
  'format',
  'cdrom',
  'uid',
  'lastEventId',
  'n',
  'last',
  'digest',
  'mount',
  'from',
  'artifactType',
  'digest-algorithm',
  'ns',
  'scope',
  'service',
  'tag',
  'limit[]',
  '__proto__',
  '',
  'x',
  'wait',
]
const ranges: Pick = [
  'bytes=0-0',
  'bytes=-1',
  'bytes=-0',
  'bytes=5-',
  'bytes=5-1',
  'bytes=0-1,3-4',
  'bytes=0-100,50-150,0-',
  `bytes=${'0-0,'.repeat(3000)}1-1`,
  `bytes=${'0-,'.repeat(500)}0-`,
  'bytes=99999999999999999999-',
  'bytes=',
  'bytes=0-18446744073709551616',
  'lines=0-1',
  'bytes=a-b',
  'bytes 0-1',
  'bytes=0--1',
  '0-1',
  ',,,',
  'bytes=-9e9',
]
const contentRanges: Pick = [
  '0-0',
  '0-1023',
  '5-9',
  '9-5',
  '-1-0',
  'bytes 0-0/1',
  'bytes 0-3/4',
  'bytes */4',
  'bytes 0-0/*',
  'x',
  '',
  '0-999999999999999',
  '0-99999999999999999999',
  'bytes 99999999999999999999-1/2',
  'bytes 5-9/3',
  '0-0,2-3',
]
const numbers: Pick = [
  '0',
  '1',
  '10',
  '-1',
  '1e3',
  '9007199254740993',
  '99999999999999999999',
  '',
  'x',
  '0x1',
  '1, 1',
]
const texts: Pick = [
  '',
  '"',
  'x',
  '*/*',
  '*',
  ',,,',
  'x'.repeat(4000),
  'ü',
  '\t',
  ';;q=2',
  '(',
  '=?x',
  '"\\',
  'a/b;c="d',
]

const types: Pick = [
  'application/json',
  'application/json',
  'application/json; charset=utf-16',
  'text/plain',
  '',
  'x',
  'application/octet-stream',
  'application/offset+octet-stream',
  'application/partial-upload',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
]
const digests: Pick = [
  'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
  'sha-256=:AA==:',
  'sha-256=x',
  'md5=:AA==:',
  'sha-256=:',
  `sha-512=:${'A'.repeat(88)}:`,
  'sha-256=:AA==:,sha-256=:BB==:',
  '?1',
  `${'a=:AA==:,'.repeat(400)}b`,
]
const addresses: Pick = [
  '10.0.0.1',
  '::1',
  '[::1]:80',
  'unknown',
  '999.1.1.1',
  '1.2.3.4, 5.6.7.8',
  ','.repeat(2000),
  'x'.repeat(3000),
  '127.0.0.1,'.repeat(500),
  '_hidden',
]

const headers: readonly [Head, ...Head[]] = [
  ['range', () => ranges],
  ['range', () => ranges],
  ['if-none-match', ({ etag }) => [etag, `W/${etag}`, '*', `${etag},`.repeat(50), '"', ...texts]],
  ['if-match', ({ etag }) => [etag, '*', ...texts]],
  ['if-range', ({ etag }) => [etag, 'Sat, 28 Nov 2026 00:00:00 GMT', ...texts]],
  ['if-modified-since', () => ['Sat, 28 Nov 2026 00:00:00 GMT', 'x', '-1']],
  ['accept', () => texts],
  ['accept-encoding', () => ['gzip', 'br', 'gzip;q=0', 'zstd', 'x', '*', 'identity;q=0', ...texts]],
  ['accept-language', () => texts],
  ['content-type', () => types],
  ['content-type', () => types],
  ['content-encoding', () => ['gzip', 'deflate', 'br', 'x', 'gzip, gzip']],
  ['content-range', () => contentRanges],
  ['upload-offset', () => numbers],
  ['upload-length', () => numbers],
  ['upload-complete', () => ['?0', '?1', '1', 'true', '']],
  [
    'upload-checksum',
    () => ['sha256 AA==', 'sha1 x', 'md5', '', 'sha256 ', `${'x'.repeat(2000)} AA==`],
  ],
  ['upload-metadata', () => ['a', 'a AA==', 'a b c', ',,,', ...texts]],
  ['upload-draft-interop-version', () => numbers],
  ['tus-resumable', () => ['1.0.0', '0.2.2', '', 'x']],
  ['x-http-method-override', () => methods],
  ['repr-digest', () => digests],
  ['content-digest', () => digests],
  ['want-repr-digest', () => digests],
  ['x-forwarded-for', () => addresses],
  ['x-forwarded-proto', () => ['https', 'x', 'http,https', '']],
  ['x-forwarded-host', () => ['elsewhere.example', '', 'x'.repeat(2000), 'a/b']],
  ['forwarded', () => ['for=1.2.3.4', 'for="[::1]"', texts[6] ?? '']],
  ['origin', () => ['https://page.example', 'null', '', 'x', 'https://elsewhere.example']],
  ['access-control-request-method', () => methods],
  ['access-control-request-headers', () => texts],
  ['last-event-id', () => numbers],
  ['cookie', () => ['a=b', ...texts]],
  ['expect', () => ['100-continue', 'x']],
  [
    'traceparent',
    () => ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'x', '00-0-0-0', ...texts],
  ],
  ['tracestate', () => texts],
  ['referer', () => texts],
  ['user-agent', () => texts],
  ['x-request-id', () => texts],
  ['sec-fetch-site', () => ['cross-site', 'x']],
]
type Head = readonly [name: string, values: (world: World) => Pick]

/** One more request. */
export function requestAt(world: World, random: Random): Asking {
  const operation = random.pick(world.operations)
  const method = random.below(6) === 0 ? random.pick(methods) : operation.method
  const body = bodyFor(method, world, random)
  return {
    method,
    path: pathFor(operation, method, world, random) + queryFor(world, random),
    headers: headersFor(body?.type ?? null, world, random),
    body: body?.bytes ?? null,
    isBroken: body !== null && random.below(30) === 0,
  }
}

function pathFor({ path }: Operation, method: string, world: World, random: Random): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    valueOf(name, method, world, random),
  )
  const kind = random.below(10)
  if (kind === 0) {
    const segments = filled.split('/')
    segments[1 + random.below(segments.length - 1)] = random.pick(badSegments)
    return segments.join('/')
  }
  if (kind === 1) {
    const at = random.below(filled.length)
    const bad = random.pick([
      '/',
      '//',
      '/./',
      '/../',
      '%2f',
      '%',
      '%00',
      '%20',
      '\\',
      ';',
      '?',
      '#',
      ':',
    ])
    return `/${(filled.slice(0, at) + bad + filled.slice(at)).replace(/^\//, '')}`
  }
  if (kind === 2)
    return filled + random.pick(['/', '//', '/x', '%2f', '.json', '/..', '/../..', '%00', '?'])
  if (kind === 3 && random.below(5) === 0)
    return random.pick([
      '*',
      '/',
      '//',
      '/x',
      `/${'a/'.repeat(3000)}`,
      'http://elsewhere.example/v2/',
    ])
  return filled
}

/** What is kept is never named where something may be changed. */
function valueOf(name: string, method: string, world: World, random: Random): string {
  if (random.below(5) === 0) return random.pick(badSegments)
  const [kept, ...others] = world.images
  if (name === 'name')
    return random.pick(reading.has(method) ? world.images : [others[0] ?? 'x', ...others])
  if (name === 'token') return random.pick(world.tokens)
  if (name === 'repository')
    return random.pick([world.repository, `cvi/${kept}`, 'fuzz/a', 'a/b/c/d', 'cvi', 'cvi/x'])
  if (name === 'digest') return random.pick(world.digests)
  if (name === 'reference') return random.pick(['latest', 'x', 'v1', ...world.digests])
  if (name === 'session') return random.pick(world.sessions)
  return random.pick(badSegments)
}

function queryFor({ digests: known }: World, random: Random): string {
  if (random.below(5) < 3) return ''
  const pairs = Array.from({ length: random.pick([1, 1, 1, 2, 3, 60]) }, () => {
    const name = random.pick(queryNames)
    // Whoever may wait for long does so, which is no fault.
    if (name === 'wait')
      return `wait=${random.pick(['0s', '1ms', '50ms', '-1s', '61s', '1e9s', 'x', ''])}`
    const value = /digest|mount/.test(name)
      ? random.pick([...known, ...values])
      : random.pick(values)
    return random.below(20) === 0 ? name : `${name}=${value}`
  })
  return `?${pairs.join(random.pick(['&', '&', '&&', ';'])).replaceAll(' ', '+')}`
}

function headersFor(type: string | null, world: World, random: Random): Asking['headers'] {
  const found: (readonly [string, string])[] = []
  const { authorizations } = world
  const [admin] = authorizations
  const isKnown = random.below(8) > 0
  if (isKnown || random.below(2) === 0) {
    found.push(['authorization', isKnown ? admin : random.pick(authorizations)])
  }
  if (type !== null && random.below(8) > 0) found.push(['content-type', type])
  for (let left = random.pick([0, 0, 0, 1, 1, 2, 3, 6]); left > 0; left -= 1) {
    const [name, of] = random.pick(headers)
    found.push([name, random.pick(of(world))])
  }
  return found
}

const source = (url: string) => ({ type: 'HTTP', http: { url } })
const secret = { auth: { basic: { username: 'me', password: secretOfSources() } } }

/** Stands in bodies, and in no answer. */
export function secretOfSources(): string {
  return 'a-secret-of-a-source'
}

const documents: readonly [object, ...object[]] = [
  { name: 'fuzz-a', dataSource: { type: 'Upload' } },
  {
    name: 'fuzz-b',
    dataSource: { type: 'HTTP', http: { url: 'http://127.0.0.1:9/disk.img', ...secret } },
  },
  { name: 'fuzz-c', dataSource: source('http://127.0.0.1:9/x'), owner: { uid: 'somebody' } },
  {
    name: 'fuzz-d',
    dataSource: { type: 'Upload', upload: { checksum: { sha256: '0'.repeat(64) } } },
  },
  {
    name: 'fuzz-e',
    dataSource: { type: 'ContainerImage', containerImage: { image: '127.0.0.1:9/a/b:c' } },
  },
  {
    name: 'fuzz-f',
    dataSource: { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name: 'fuzz-a' } },
  },
  { dataSource: source('http://127.0.0.1:9/y') },
  { dryRun: true },
  { rate: '64Mi' },
  {},
  {
    class: {
      apiVersion: 'virtualization.deckhouse.io/v1alpha2',
      kind: 'VirtualMachineClass',
      metadata: { name: 'c' },
      spec: {
        cpu: { type: 'Features', features: ['vmx'] },
        sizingPolicies: [
          { cores: { min: 1, max: 4 }, memory: { min: '1Gi', max: '8Gi', step: '1Gi' } },
        ],
        nodeSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
      },
    },
    machine: {
      apiVersion: 'virtualization.deckhouse.io/v1alpha2',
      kind: 'VirtualMachine',
      metadata: { name: 'm' },
      spec: {
        virtualMachineClassName: 'c',
        cpu: { cores: 2, coreFraction: '10%' },
        memory: { size: '2Gi' },
      },
    },
  },
  {
    schemaVersion: 2,
    config: { mediaType: 'a/b', digest: digestOf(Buffer.from('{}')), size: 2 },
    layers: [],
  },
]

function bodyFor(method: string, { digests: known }: World, random: Random) {
  if (reading.has(method) && random.below(20) > 0) return null
  const kind = random.below(12)
  if (kind === 0) return null
  if (kind === 1)
    return { type: 'application/octet-stream', bytes: Buffer.alloc(random.pick([0, 1, 4, 70_000])) }
  if (kind === 2) {
    const form = `grant_type=password&username=admin&password=${random.pick(values)}&scope=${random.pick(known)}`
    return { type: 'application/x-www-form-urlencoded', bytes: Buffer.from(form) }
  }
  const json = bytesOf(random.pick(documents), random)
  const bytes = random.below(25) === 0 ? gzipSync(json) : json
  return { type: 'application/json', bytes }
}

function bytesOf(document: object, random: Random): Uint8Array {
  const kind = random.below(10)
  if (kind < 2) return Buffer.from(JSON.stringify(document))
  if (kind === 2) return random.pick(broken).of(JSON.stringify(document), random)
  if (kind === 3) return random.pick(odd).of(JSON.stringify(document), random)
  if (kind === 4) return Buffer.from(noObjects[random.below(noObjects.length)] ?? '')
  let value: unknown = document
  for (let left = random.pick([1, 1, 2, 3]); left > 0; left -= 1) value = mutated(value, random)
  return Buffer.from(JSON.stringify(value))
}
