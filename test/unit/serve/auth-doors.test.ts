import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { GateOptions } from '../../../src/serve/auth/gate.ts'
import { basic, tokenOf, writeCallers, type CallerPaths } from '../../support/callers.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { guarded as guardedBy } from './doors-under-test.ts'

const resources = new AsyncDisposableStack()
let paths: CallerPaths
beforeAll(async () => {
  paths = await writeCallers(resources.use(await temporaryFolder()).path)
})
afterAll(() => resources.disposeAsync())

const bearer = (name: string) => `Bearer ${tokenOf(name)}`

const guarded = (options: Partial<GateOptions> = {}, open = false) =>
  guardedBy(paths, options, open)

const challengeOf = (answer: Response) => answer.headers.get('www-authenticate')

describe('the door of the registry', () => {
  test('asks for what the method wants, before anything else is done', async () => {
    const { ask } = await guarded()
    const scopes = async (method: string, path: string) =>
      /scope="([^"]*)"/.exec(challengeOf(await ask(path, {}, { method })) ?? '')?.[1]
    expect(await scopes('GET', '/v2/a/b/blobs/sha256:0')).toBe('repository:a/b:pull')
    expect(await scopes('HEAD', '/v2/a/b/manifests/x')).toBe('repository:a/b:pull')
    expect(await scopes('GET', '/v2/a/tags/list')).toBe('repository:a:pull')
    expect(await scopes('PUT', '/v2/a/b/manifests/x')).toBe('repository:a/b:pull,push')
    expect(await scopes('POST', '/v2/a/b/blobs/uploads/')).toBe('repository:a/b:pull,push')
    expect(await scopes('DELETE', '/v2/a/b/blobs/uploads/x')).toBe('repository:a/b:pull,push')
    expect(await scopes('DELETE', '/v2/a/b/manifests/x')).toBe('repository:a/b:delete')
    expect(await scopes('GET', '/v2/_catalog')).toBe('registry:catalog:*')
    expect(await scopes('GET', '/v2/a/blobs/b/tags/list')).toBe('repository:a/blobs/b:pull')
    expect(await scopes('GET', '/v2/')).toBeUndefined()
  })

  test('lets callers do what role and rules say', async () => {
    const { status } = await guarded()
    const as = async (authorization: string, method: string, repository: string) =>
      await status(`/v2/${repository}/manifests/x`, { authorization }, { method })
    const node = basic('node', 'of the cluster')
    expect(await as(node, 'GET', 'other')).toBe(200)
    expect(await as(node, 'PUT', 'other')).toBe(403)
    expect(await as(bearer('viewer'), 'PUT', 'other')).toBe(403)
    expect(await as(bearer('editor'), 'PUT', 'other')).toBe(200)
    expect(await as(bearer('editor'), 'PUT', 'team-a/x')).toBe(403)
    expect(await as(bearer('ci-a'), 'DELETE', 'team-a/x')).toBe(200)
    expect(await as(bearer('admin'), 'DELETE', 'team-a/x')).toBe(200)
    expect(await as(node, 'GET', 'cvi/secret-one')).toBe(403)
    expect(await status('/v2/_catalog', { authorization: node })).toBe(200)
  })

  test('says where tokens are as the one who asks sees it', async () => {
    const { ask } = await guarded({ publicUrl: 'https://public.example.com/registry' })
    const realm = async (headers: Record<string, string>, peer = '192.0.2.1') =>
      /realm="([^"]*)",service="([^"]*)"/
        .exec(challengeOf(await ask('/v2/', headers, { peer })) ?? '')
        ?.slice(1)
    const host = 'images.example.com:8080'
    const https = { 'x-forwarded-proto': 'https' }
    expect(await realm({})).toEqual([`http://${host}/token`, host])
    expect(await realm(https)).toEqual([`http://${host}/token`, host])
    const ours = ['https://public.example.com/registry/token', 'public.example.com']
    expect(await realm(https, '10.0.0.1')).toEqual(ours)
    expect(await realm({ host: 'Public.example.com' })).toEqual(ours)
    expect(await realm({ host: 'a"b,c' })).toEqual(ours)
  })

  test('tells whether what is pulled may be kept for others', async () => {
    const { ask } = await guarded({ anonymousPull: true })
    const kept = async (name: string) =>
      await (await ask(`/v2/odd/${name}`, { authorization: bearer('admin') })).text()
    expect(await kept('other')).toBe('public')
    const closed = await guarded()
    const answer = await closed.ask('/v2/odd/other', { authorization: bearer('admin') })
    expect(await answer.text()).toBe('private')
  })

  test('lets strangers pull where that is said, and rules say otherwise again', async () => {
    const { status, ask } = await guarded({ anonymousPull: true })
    expect([await status('/v2/'), await status('/v2')]).toEqual([401, 401])
    expect(await status('/v2/other/manifests/x')).toBe(200)
    expect(await status('/v2/team-a/x/manifests/x')).toBe(401)
    expect(await status('/v2/other/manifests/x', {}, { method: 'PUT' })).toBe(401)
    expect(await status('/v2/_catalog')).toBe(401)
    expect(await status('/api/v1/images/x/disk', {}, { method: 'HEAD' })).toBe(200)
    expect(await status('/api/v1/images/x/disk', {}, { method: 'DELETE' })).toBe(401)
    expect(await status('/api/v1/images/secret-x/disk')).toBe(401)
    expect(await status('/api/v1/images/x')).toBe(401)
    expect((await ask('/token')).status).toBe(200)
  })

  test('asks again where a token has less than its owner may, and says no where not', async () => {
    const { ask, status } = await guarded()
    const issued = async (authorization: string, scope: string) => {
      const answer = await ask(`/token?scope=${scope}`, { authorization })
      return `Bearer ${z.object({ token: z.string() }).parse(await answer.json()).token}`
    }
    const editors = await issued(bearer('editor'), 'repository:x:pull')
    const put = { method: 'PUT' }
    expect(await status('/v2/x/manifests/1', { authorization: editors })).toBe(200)
    const answer = await ask('/v2/x/manifests/1', { authorization: editors }, put)
    expect(answer.status).toBe(401)
    expect(challengeOf(answer)).toContain('"repository:x:pull,push",error="insufficient_scope"')
    const viewers = await issued(bearer('viewer'), 'repository:x:pull,push')
    expect(await status('/v2/x/manifests/1', { authorization: viewers }, put)).toBe(403)
    expect(await status('/v2/_catalog', { authorization: viewers })).toBe(401)
    const lists = await issued(bearer('viewer'), 'registry:catalog:*')
    expect(await status('/v2/_catalog', { authorization: lists })).toBe(200)
    const elsewhere = { authorization: editors, host: 'other.example.com' }
    expect(challengeOf(await ask('/v2/x/manifests/1', elsewhere))).toContain(
      'error="invalid_token"',
    )
  })
})

describe('both doors', () => {
  test('log each refused attempt: who, from where and why, and nothing that is secret', async () => {
    const { ask, status, lines } = await guarded()
    const refused = () => lines.filter(({ level }) => level === 40)
    expect(await status('/api/x', { authorization: basic('bad\n\u001b[31mname', 'hush') })).toBe(
      401,
    )
    expect(await status('/v2/', { authorization: `Bearer hush` })).toBe(401)
    expect(await status('/v2/', { authorization: 'Digest hush' })).toBe(401)
    expect(await status('/api/x', { authorization: bearer('viewer') }, { method: 'PUT' })).toBe(403)
    expect(await status('/api/x')).toBe(401)
    expect(refused()).toMatchObject([
      { caller: 'bad??[31mname', address: '192.0.2.1', why: 'wrong name or password' },
      { caller: null, why: 'nobody has this token' },
      { caller: null, why: 'the Authorization header is neither Basic nor Bearer' },
      { caller: 'viewer', address: '192.0.2.1', why: '"viewer" may not change anything here' },
    ])
    const bodies = [await ask('/v2/', { authorization: 'Bearer hush' })]
    expect(JSON.stringify(lines) + (await bodies[0]?.text())).not.toContain('hush')
  })

  test('count failures by address, as trusted proxies tell it', async () => {
    const { status } = await guarded()
    const behind = (client: string) => ({ 'x-forwarded-for': client })
    const wrong = (client: string) => ({ ...behind(client), authorization: basic('x', 'y') })
    for (let nth = 0; nth < 10; nth += 1) {
      expect(await status('/v2/', wrong('203.0.113.9'), { peer: '10.0.0.1' })).toBe(401)
    }
    expect(await status('/v2/', wrong('203.0.113.9'), { peer: '10.0.0.1' })).toBe(429)
    expect(await status('/api/x', wrong('203.0.113.9'), { peer: '10.0.0.1' })).toBe(429)
    expect(await status('/token', wrong('203.0.113.9'), { peer: '10.0.0.1' })).toBe(429)
    expect(await status('/v2/', behind('203.0.113.9'), { peer: '10.0.0.1' })).toBe(401)
    expect(await status('/v2/', wrong('203.0.113.10'), { peer: '10.0.0.1' })).toBe(401)
    expect(await status('/v2/', wrong('203.0.113.9'), { peer: '192.0.2.1' })).toBe(401)
  })

  test('stand open where there are no credentials', async () => {
    const { status } = await guarded({}, true)
    expect(await status('/v2/')).toBe(200)
    expect(await status('/v2/odd/cvi')).toBe(200)
    expect(await status('/v2/_catalog')).toBe(200)
    expect(await status('/api/v1/images/x/disk')).toBe(200)
    expect(await status('/api/x', { authorization: 'Bearer any' }, { method: 'POST' })).toBe(200)
  })
})
