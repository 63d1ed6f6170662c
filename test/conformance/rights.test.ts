import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { basic, tokenLine, tokenOf } from '../support/callers.ts'
import { fresh, pushImage } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { expected, Registry } from '../support/conformance-registry.ts'
import { startService } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

/** Two teams that do not see each other, and one caller who sees both and changes neither. */
const rules = ['a', 'b'].map((team) => ({
  repository: `team-${team}/**`,
  allow: { [`ci-${team}`]: ['pull', 'push', 'delete'], auditor: ['pull'] },
}))
const callers = ['ci-a', 'ci-b', 'auditor'] as const
type Name = (typeof callers)[number]

const resources = new AsyncDisposableStack()
let base: string

beforeAll(async () => {
  const folder = resources.use(await temporaryFolder()).path
  await writeFile(join(folder, 'tokens'), callers.map((name) => tokenLine(name, 'editor')).join(''))
  await writeFile(join(folder, 'access.json'), JSON.stringify({ rules }))
  const service = resources.use(
    await startService({
      SLIPWAY_TOKENS_FILE: join(folder, 'tokens'),
      SLIPWAY_ACCESS_FILE: join(folder, 'access.json'),
    }),
  )
  base = service.base
})
afterAll(() => resources.disposeAsync())

function registryOf(authorization: string | null): Registry {
  const registry = new Registry(base, authorization === null ? {} : { authorization })
  resources.defer(() => registry.close())
  return registry
}
const as = (name: Name) => registryOf(basic(name, tokenOf(name)))

const issuedSchema = z.looseObject({ token: z.string() })

/** With a token that the caller has got for some repositories only. */
async function asIssued(name: Name, ...scopes: readonly string[]): Promise<Registry> {
  const query = scopes.map((scope) => `&scope=${scope}`).join('')
  const reply = expected(await as(name).get(`/token?service=any${query}`), 200)
  return registryOf(`Bearer ${issuedSchema.parse(reply.json()).token}`)
}

async function mount(registry: Registry, into: string, digest: string, from?: string) {
  const query = `mount=${digest}${from === undefined ? '' : `&from=${from}`}`
  return await registry.ask('POST', `/v2/${into}/blobs/uploads/?${query}`)
}

describe('a mount', () => {
  test('gives nobody what they may not read, named or not, and does not tell that it is there', async () => {
    const secret = await as('ci-a').push('team-a/secret', fresh(100))
    const other = as('ci-b')
    for (const from of ['team-a/secret', undefined]) {
      const reply = expected(await mount(other, 'team-b/theft', secret, from), 202)
      expect(reply.header('docker-content-digest')).toBeNull()
      expect((await other.head(`/v2/team-b/theft/blobs/${secret}`)).status).toBe(404)
    }
    expectRefusal(await other.get(`/v2/team-a/secret/blobs/${secret}`), 403, 'DENIED')
  })

  test('works among repositories of one caller, with a token for the one that is pushed to', async () => {
    const digest = await as('ci-a').push('team-a/one', fresh(100))
    const issued = await asIssued('ci-a', 'repository:team-a/two:pull,push')
    expected(await mount(issued, 'team-a/two', digest, 'team-a/one'), 201)
    const more = await asIssued('ci-a', 'repository:team-a/three:pull,push')
    expected(await mount(more, 'team-a/three', digest), 201)
  })
})

describe('a caller', () => {
  test('finds in the catalog what may be pulled, page by page', async () => {
    for (const repository of ['team-a/x', 'team-a/y']) await pushImage(as('ci-a'), repository)
    for (const repository of ['team-b/x', 'team-b/y']) await pushImage(as('ci-b'), repository)
    const pagesOf = async (name: Name) => await as(name).pages('/v2/_catalog?n=1&last=team-a/w')
    expect(await pagesOf('ci-a')).toEqual([['team-a/x'], ['team-a/y']])
    expect(await pagesOf('ci-b')).toEqual([['team-b/x'], ['team-b/y']])
    expect((await pagesOf('auditor')).flat()).toHaveLength(4)
  })

  test('who may only pull changes nothing', async () => {
    const owner = as('ci-a')
    const { bytes, digest, config } = await pushImage(owner, 'team-a/read', { tag: 'one' })
    const session = await owner.begin('team-a/read')
    const auditor = as('auditor')
    expect((await auditor.get('/v2/team-a/read/manifests/one')).bytes.equals(bytes)).toBe(true)
    const refused = [
      await auditor.ask('POST', '/v2/team-a/read/blobs/uploads/'),
      await auditor.get(session),
      await auditor.patch(session, fresh(10)),
      await auditor.ask('PUT', `${session}?digest=${config.digest}`, { body: fresh(10) }),
      await auditor.delete(session),
      await auditor.put('team-a/read', 'one', bytes),
      await auditor.delete('/v2/team-a/read/manifests/one'),
      await auditor.delete(`/v2/team-a/read/manifests/${digest}`),
      await auditor.delete(`/v2/team-a/read/blobs/${config.digest}`),
    ]
    for (const reply of refused) expectRefusal(reply, 403, 'DENIED')
    expected(await owner.get(session), 204)
  })

  test('without credentials is told how to come in, whatever is sent', async () => {
    const nobody = registryOf(null)
    const body = fresh(300_000)
    const scope = (actions: string) => `scope="repository:team-a/x:${actions}"`
    for (const [method, path, wanted] of [
      ['GET', 'manifests/one', scope('pull')],
      ['PUT', 'manifests/one', scope('pull,push')],
      ['POST', 'blobs/uploads/', scope('pull,push')],
      ['PATCH', 'blobs/uploads/x', scope('pull,push')],
      ['DELETE', 'manifests/one', scope('delete')],
    ] as const) {
      const sends = method.startsWith('P')
      const reply = await nobody.ask(method, `/v2/team-a/x/${path}`, sends ? { body } : {})
      expectRefusal(reply, 401, 'UNAUTHORIZED')
      expect(reply.header('www-authenticate')).toContain(`Bearer realm="${base}/token"`)
      expect(reply.header('www-authenticate')).toContain(wanted)
    }
  })

  test('keeps shared caches from what is not for everybody', async () => {
    const digest = await as('ci-a').push('team-a/private', fresh(100))
    const reply = await as('ci-a').get(`/v2/team-a/private/blobs/${digest}`)
    expect(reply.header('cache-control')).toBe('private, max-age=31536000, immutable')
  })
})
