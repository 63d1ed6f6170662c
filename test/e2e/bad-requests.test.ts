import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { expectNothing, expectOnly } from '../support/leftovers.ts'
import { problemOf, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(() => service[Symbol.asyncDispose]())

const url = 'https://example.com/disk.img'
const http = (section: object) => ({ type: 'HTTP', http: { url, ...section } })
const named = (name: string) => ({ name, dataSource: { type: 'Upload' } })
const sourced = (dataSource: unknown) => ({ name: 'bad', dataSource })

const fieldNames = Array.from({ length: 1000 }, (_, at) => `x${at}`)

type Row = {
  readonly what: string
  readonly body: unknown
  readonly status?: number
  readonly code?: string
  readonly detail: RegExp
  /** The fields that are named; none for a refusal that is not about a field. */
  readonly paths?: readonly string[]
}

const rows: readonly Row[] = [
  {
    what: 'an unknown field',
    body: { ...named('bad'), size: '10Gi' },
    detail: /^size: there is no such field$/,
    paths: ['size'],
  },
  {
    what: 'more unknown fields than anybody reads of',
    body: { ...named('bad'), ...Object.fromEntries(fieldNames.map((name) => [name, 1])) },
    detail: /^x0: there is no such field; .+; x19: there is no such field; and 980 more$/,
    paths: fieldNames.slice(0, 20),
  },
  {
    what: 'a field whose name is longer than a line',
    body: { ...named('bad'), ['x'.repeat(100_000)]: 1 },
    detail: /^x{500}: there is no such field$/,
    paths: ['x'.repeat(500)],
  },
  {
    what: 'an unknown field inside of a section',
    body: sourced(http({ chekcsum: {} })),
    detail: /^dataSource\.http\.chekcsum: there is no such field$/,
    paths: ['dataSource.http.chekcsum'],
  },
  {
    what: 'two sections',
    body: sourced({ ...http({}), upload: {} }),
    detail: /does not belong to type HTTP; give exactly one section, http/,
    paths: ['dataSource.upload'],
  },
  {
    what: 'a section of another type',
    body: sourced({ type: 'ObjectRef', http: { url } }),
    detail: /ObjectRef requires objectRef.+give exactly one section, objectRef/,
    paths: ['dataSource.objectRef', 'dataSource.http'],
  },
  {
    what: 'no section',
    body: sourced({ type: 'HTTP' }),
    detail: /HTTP requires http/,
    paths: ['dataSource.http'],
  },
  {
    what: 'a type that there is not',
    body: sourced({ type: 'Torrent' }),
    detail: /"HTTP"\|"ContainerImage"\|"ObjectRef"\|"Upload"/,
    paths: ['dataSource.type'],
  },
  {
    what: 'no data source',
    body: { name: 'bad' },
    detail: /^dataSource: /,
    paths: ['dataSource'],
  },
  { what: 'an array', body: [named('bad')], detail: /expected object/, paths: [''] },
  {
    what: 'a name with capitals',
    body: named('Ubuntu'),
    code: 'INVALID_NAME',
    detail: /"Ubuntu" is no image name; use lower-case letters, digits and hyphens/,
    paths: ['name'],
  },
  {
    what: 'a name with a dot',
    body: named('ubuntu-22.04'),
    code: 'INVALID_NAME',
    detail: /"ubuntu-22\.04" holds a dot; use a hyphen instead/,
    paths: ['name'],
  },
  {
    what: 'a name that leads elsewhere',
    body: named('../../etc'),
    code: 'INVALID_NAME',
    detail: /use a hyphen instead/,
    paths: ['name'],
  },
  {
    what: 'an empty name',
    body: named(''),
    code: 'INVALID_NAME',
    detail: /a name has 1 to 200 characters, this one has 0/,
    paths: ['name'],
  },
  {
    what: 'a name that is too long',
    body: named('a'.repeat(201)),
    code: 'INVALID_NAME',
    detail: /this one has 201/,
    paths: ['name'],
  },
  {
    what: 'a checksum of a wrong length',
    body: sourced(http({ checksum: { sha256: 'a'.repeat(63) } })),
    detail: /a sha256 checksum is 64 hex characters/,
    paths: ['dataSource.http.checksum.sha256'],
  },
  {
    what: 'a checksum that is no hex',
    body: sourced({ type: 'Upload', upload: { checksum: { md5: 'z'.repeat(32) } } }),
    detail: /a md5 checksum is 32 hex characters/,
    paths: ['dataSource.upload.checksum.md5'],
  },
  {
    what: 'a URL of another scheme',
    body: sourced({ type: 'HTTP', http: { url: 'file:///etc/passwd' } }),
    detail: /must be an http or https URL/,
    paths: ['dataSource.http.url'],
  },
  {
    what: 'a header that is not for users to set',
    body: sourced(http({ auth: { headers: { Host: 'inside' } } })),
    detail: /is set by Slipway itself/,
    paths: ['dataSource.http.auth.headers.Host'],
  },
  {
    what: 'a reference to something else than an image',
    body: sourced({ type: 'ObjectRef', objectRef: { kind: 'Secret', name: 'root' } }),
    detail: /"ClusterVirtualImage"/,
    paths: ['dataSource.objectRef.kind'],
  },
  {
    what: 'the address of a cloud metadata service',
    body: sourced({ type: 'HTTP', http: { url: 'http://169.254.169.254/latest/meta-data' } }),
    code: 'SOURCE_FORBIDDEN',
    detail:
      /no import may go to 169\.254\.169\.254: .+ SLIPWAY_SOURCE_ALLOW=169\.254\.169\.254\/32/,
  },
  {
    what: 'what is no reference to a container image',
    body: sourced({
      type: 'ContainerImage',
      containerImage: { image: 'https://example.com/disk:1' },
    }),
    detail: /docker|without|https/,
    paths: ['dataSource.containerImage.image'],
  },
  {
    what: 'a registry at the address of a cloud metadata service',
    body: sourced({
      type: 'ContainerImage',
      containerImage: { image: '169.254.169.254/team/disk:1' },
    }),
    code: 'SOURCE_FORBIDDEN',
    detail: /no import may go to 169\.254\.169\.254: /,
  },
  {
    what: 'more than any data source can need',
    body: { name: 'x'.repeat(2 * mebibyte) },
    status: 413,
    code: 'CONTENT_TOO_LARGE',
    detail: /at most 2097152 bytes/,
  },
]

describe('creating an image is refused for', () => {
  afterEach(() => expectNothing(service.folder))

  test.each(rows)('$what', async ({ body, status = 422, code = 'INVALID_REQUEST', ...row }) => {
    const answer = await service.rest.post(body)
    const problem = await problemOf(answer)
    expect({ http: answer.status, ...problem }).toMatchObject({ http: status, status, code })
    expect(problem.detail).toMatch(row.detail)
    expect(problem.errors?.map(({ path }) => path)).toEqual(row.paths)
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('a body that is no JSON', async () => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(service.rest.url(), { method: 'POST', headers, body: '{"name": ' })
    expect(answer.status).toBe(400)
    expect(await problemOf(answer)).toMatchObject({
      code: 'INVALID_JSON',
      detail: 'the body is no JSON',
    })
  })

  test('a body that is not said to be JSON', async () => {
    const body = JSON.stringify(named('bad'))
    const answer = await fetch(service.rest.url(), { method: 'POST', body })
    expect(answer.status).toBe(415)
    expect(await problemOf(answer)).toMatchObject({
      code: 'UNSUPPORTED_MEDIA_TYPE',
      detail: 'the body must be JSON; send it with Content-Type: application/json',
    })
  })
})

describe('asking is refused for', () => {
  test.each([
    ['?limit=0', 422, 'INVALID_REQUEST', /^limit: /],
    ['?limit=1001', 422, 'INVALID_REQUEST', /^limit: /],
    ['?phase=Done', 422, 'INVALID_REQUEST', /^phase: .+"Ready"/],
    ['?colour=red', 422, 'INVALID_REQUEST', /^colour: there is no such field$/],
    ['/nowhere', 404, 'IMAGE_NOT_FOUND', /^there is no image "nowhere"$/],
    ['/nowhere?wait=1s', 404, 'IMAGE_NOT_FOUND', /^there is no image "nowhere"$/],
    [
      '/nowhere?wait=2h',
      422,
      'INVALID_REQUEST',
      /^wait: must be a duration up to 60s, such as 30s$/,
    ],
    ['/nowhere/disk', 404, 'IMAGE_NOT_FOUND', /^there is no image "nowhere"$/],
    ['/nowhere/shape', 404, 'NOT_FOUND', /openapi\.json lists what there is$/],
  ])('%s', async (path, status, code, detail) => {
    const answer = await fetch(service.rest.url(path))
    expect(answer.status).toBe(status)
    const problem = await problemOf(answer)
    expect(problem.code).toBe(code)
    expect(problem.detail).toMatch(detail)
  })

  test.each(['DELETE', 'POST'])('%s of an image that is not there', async (method) => {
    const path = method === 'POST' ? '/nowhere/retry' : '/nowhere'
    const answer = await fetch(service.rest.url(path), { method })
    expect(answer.status).toBe(404)
    expect(await problemOf(answer)).toMatchObject({ code: 'IMAGE_NOT_FOUND' })
  })
})

describe('an image that exists', () => {
  beforeAll(() => service.rest.createUpload('taken'))

  test('is the answer to the same request', async () => {
    const answer = await service.rest.post(named('taken'))
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ uid: (await service.rest.image('taken')).uid })
  })

  test('keeps its data source', async () => {
    const answer = await service.rest.post({ name: 'taken', dataSource: http({}) })
    expect(answer.status).toBe(409)
    expect(await problemOf(answer)).toMatchObject({
      code: 'SPEC_DIFFERS',
      detail: expect.stringContaining('delete the image and create it again'),
    })
  })

  test('keeps its owner', async () => {
    const answer = await service.rest.post({ ...named('taken'), owner: { uid: 'somebody' } })
    expect(answer.status).toBe(409)
    expect(await problemOf(answer)).toMatchObject({ code: 'OWNER_DIFFERS' })
  })

  test('cannot be started again while it is neither Failed nor lost', async () => {
    const answer = await service.rest.post({}, '/taken/retry')
    expect(answer.status).toBe(409)
    expect(await problemOf(answer)).toMatchObject({
      code: 'NOT_RETRYABLE',
      detail: expect.stringContaining('only a Failed or ImageLost image can be started again'),
    })
  })

  test('has no disk before it is Ready', async () => {
    const answer = await fetch(service.rest.url('/taken/disk'))
    expect(answer.status).toBe(409)
    expect(await problemOf(answer)).toMatchObject({ code: 'NOT_READY' })
  })
})

test('after all of that the service goes on', async () => {
  await service.rest.delete('taken')
  await expectNothing(service.folder)
  expect((await send(await service.rest.createUpload('good'), disk(mebibyte))).status).toBe(201)
  await expectOnly(service.folder, ['good'])
})
