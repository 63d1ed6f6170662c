import { appendFile, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  basic,
  passwordLine,
  tokenLine,
  tokenOf,
  writeCallers,
  type CallerPaths,
} from '../support/callers.ts'
import { disk, mebibyte } from '../support/disks.ts'
import type { Line } from '../support/logs.ts'
import { needs } from '../support/programs.ts'
import { get, problemOf, send } from '../support/rest.ts'
import { serveOn, startService, type Service } from '../support/service.ts'
import { attempt, run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

const node = { name: 'node', password: 'of the cluster' }
const nodeHeader = basic(node.name, node.password)
const bearer = (name: string) => `Bearer ${tokenOf(name)}`

/** A service with callers, and an image `shared` that an editor has uploaded. */
async function startGuarded(variables: Record<string, string> = {}) {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder()).path
  const paths = await writeCallers(folder)
  const service = stack.use(
    await startService({
      SLIPWAY_TOKENS_FILE: paths.tokens,
      SLIPWAY_HTPASSWD_FILE: paths.passwords,
      SLIPWAY_ACCESS_FILE: paths.access,
      ...variables,
    }),
  )
  for (const name of ['shared', 'secret-one']) {
    const url = await service.rest.as(tokenOf('editor')).createUpload(name)
    expect((await send(url, disk(mebibyte))).status).toBe(201)
  }
  const held = stack.move()
  return { service, folder, paths, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

/** A status of a request with these credentials, undefined for none. */
async function statusOf(url: string, authorization?: string, init: RequestInit = {}) {
  const headers = { ...(authorization !== undefined && { authorization }) }
  const signal = AbortSignal.timeout(20_000)
  return (await fetch(url, { ...init, headers, signal })).status
}

const tokenSchema = z.object({
  token: z.string(),
  access_token: z.string(),
  expires_in: z.literal(300),
  issued_at: z.iso.datetime(),
})
const claimsSchema = z.looseObject({
  sub: z.string().optional(),
  aud: z.string(),
  access: z.array(z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()) })),
})

async function tokenFor(base: string, scopes: readonly string[], authorization?: string) {
  const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]))
  const answer = await get(`${base}/token?service=x&${query.toString()}`, {
    ...(authorization !== undefined && { authorization }),
  })
  expect(answer.status).toBe(200)
  return tokenSchema.parse(await answer.json()).token
}

function claimsOf(token: string) {
  const text = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
  return claimsSchema.parse(JSON.parse(text))
}

describe('where there are credentials', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  let folder: string
  let manifest: string
  beforeAll(async () => {
    const guarded = resources.use(await startGuarded())
    ;({ service, folder } = guarded)
    manifest = `${service.base}/v2/cvi/shared/manifests/latest`
  })
  afterAll(() => resources.disposeAsync())

  test('REST tells who has none how to come in', async () => {
    const answer = await get(service.rest.url())
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe(
      'Basic realm="slipway", Bearer realm="slipway"',
    )
    expect(await problemOf(answer)).toMatchObject({ code: 'UNAUTHORIZED' })
  })

  test('the registry tells who has none where tokens are, in its own envelope', async () => {
    const host = new URL(service.base).host
    const answer = await get(manifest)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0')
    expect(await answer.json()).toMatchObject({ errors: [{ code: 'UNAUTHORIZED' }] })
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer realm="${service.base}/token",service="${host}",scope="repository:cvi/shared:pull", Basic realm="slipway"`,
    )
    expect(await statusOf(`${service.base}/v2/`)).toBe(401)
  })

  test('health, the document and uploads ask for none', async () => {
    for (const path of ['/healthz', '/readyz', '/openapi.json']) {
      expect(await statusOf(service.base + path)).toBe(200)
    }
    expect(await statusOf(`${service.base}/upload/${'a'.repeat(32)}`)).toBe(404)
  })

  test('each role may do what is its own over REST', async () => {
    const create = (name: string) => ({
      method: 'POST',
      body: JSON.stringify({ name, dataSource: { type: 'Upload' } }),
    })
    const evaluation = `${service.base}/api/v1/virtual-machine-classes/evaluate`
    const codes = async (authorization: string) => [
      await statusOf(service.rest.url(), authorization),
      await statusOf(service.rest.url('/shared'), authorization),
      await statusOf(service.rest.url('/shared/disk'), authorization),
      // Without a content type this ends with 415, once it is let in.
      await statusOf(service.rest.url(), authorization, create('never')),
      await statusOf(service.rest.url('/missing'), authorization, { method: 'DELETE' }),
      await statusOf(`${service.base}/api/v1/probe`, authorization, create('never')),
      await statusOf(evaluation, authorization, create('never')),
      await statusOf(evaluation, authorization, { method: 'DELETE' }),
    ]
    expect(await codes(bearer('admin'))).toEqual([200, 200, 200, 415, 404, 415, 415, 405])
    expect(await codes(bearer('editor'))).toEqual([200, 200, 200, 415, 404, 415, 415, 405])
    expect(await codes(basic('viewer', tokenOf('viewer')))).toEqual([
      200, 200, 200, 403, 403, 403, 415, 405,
    ])
    expect(await codes(nodeHeader)).toEqual([403, 403, 200, 403, 403, 403, 403, 403])
  })

  test('who may only look does not see where bytes are sent to', async () => {
    const editor = service.rest.as(tokenOf('editor'))
    await editor.createUpload('waiting')
    const seen = await service.rest.as(tokenOf('viewer')).image('waiting')
    expect(seen.status.phase).toBe('WaitForUserUpload')
    expect(seen.status).not.toHaveProperty('imageUploadURLs')
    expect(seen.status).not.toHaveProperty('uploadCommand')
    const [listed] = (await service.rest.as(tokenOf('viewer')).list('?phase=WaitForUserUpload'))
      .items
    expect(listed?.status).not.toHaveProperty('uploadCommand')
    await editor.delete('waiting')
  })

  test('a rule of a repository decides instead of the role, over REST, too', async () => {
    const secret = service.rest.url('/secret-one/disk')
    expect(await statusOf(secret, bearer('editor'))).toBe(200)
    expect(await statusOf(secret, bearer('ci-a'))).toBe(403)
    expect(await statusOf(secret, bearer('admin'))).toBe(200)
    const deleting = { method: 'DELETE' }
    expect(await statusOf(service.rest.url('/secret-one'), bearer('ci-a'), deleting)).toBe(403)
    const theft = await service.rest.as(tokenOf('ci-a')).post({
      name: 'copied',
      dataSource: {
        type: 'ObjectRef',
        objectRef: { kind: 'ClusterVirtualImage', name: 'secret-one' },
      },
    })
    expect(theft.status).toBe(403)
  })

  test('a token is issued for what is asked for and allowed, and holds for that alone', async () => {
    const scopes = ['repository:cvi/shared:pull,push,delete', 'repository:team-a/x:pull,push']
    const token = await tokenFor(service.base, scopes, nodeHeader)
    expect(claimsOf(token)).toMatchObject({
      sub: 'node',
      aud: new URL(service.base).host,
      access: [
        { type: 'repository', name: 'cvi/shared', actions: ['pull'] },
        { type: 'repository', name: 'team-a/x', actions: ['pull'] },
      ],
    })
    expect(await statusOf(manifest, `Bearer ${token}`)).toBe(200)
    expect(await statusOf(`${service.base}/v2/`, `Bearer ${token}`)).toBe(200)
    expect(await statusOf(service.rest.url('/shared/disk'), `Bearer ${token}`)).toBe(401)
    const own = await tokenFor(service.base, ['repository:team-a/x:pull,push,*'], bearer('ci-a'))
    expect(claimsOf(own).access[0]?.actions).toEqual(['pull', 'push', 'delete'])
  })

  test('a token without the scope is told which one it takes', async () => {
    const token = await tokenFor(service.base, [], nodeHeader)
    const answer = await get(manifest, { authorization: `Bearer ${token}` })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain(
      'scope="repository:cvi/shared:pull",error="insufficient_scope"',
    )
  })

  test('a token that was tampered with is invalid', async () => {
    const token = await tokenFor(service.base, [], nodeHeader)
    const [head, , signature] = token.split('.')
    const claims = { ...claimsOf(token), sub: 'admin' }
    const forged = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature]
    const answer = await get(manifest, { authorization: `Bearer ${forged.join('.')}` })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
  })

  test('a token is issued to a password grant, and not to a refresh token', async () => {
    const exchange = async (fields: Record<string, string>) =>
      await fetch(`${service.base}/token`, { method: 'POST', body: new URLSearchParams(fields) })
    const password = { grant_type: 'password', username: node.name, service: 'x' }
    const scope = 'repository:cvi/shared:pull repository:team-a/x:pull'
    const good = await exchange({ ...password, password: node.password, scope })
    expect(good.status).toBe(200)
    const { access_token: token } = tokenSchema.parse(await good.json())
    expect(claimsOf(token).access).toHaveLength(2)
    expect((await exchange({ ...password, password: 'wrong' })).status).toBe(401)
    const refresh = await exchange({ grant_type: 'refresh_token', refresh_token: 'x' })
    expect(refresh.status).toBe(400)
    expect(await refresh.json()).toMatchObject({ error: 'unsupported_grant_type' })
  })

  test('who has no credentials gets no token, and nobody one for a hundred and one scopes', async () => {
    const scope = 'scope=repository:cvi/shared:pull'
    const answer = await get(`${service.base}/token?${scope}`)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Basic realm="slipway"')
    const many = Array.from({ length: 101 }, () => scope).join('&')
    expect(await statusOf(`${service.base}/token?${many}`, nodeHeader)).toBe(422)
  })

  test.skipIf(!needs('skopeo', 'apt-get install skopeo'))(
    'skopeo logs in and copies with a password, and with a token, and not with another',
    async () => {
      const host = new URL(service.base).host
      const auth = ['--authfile', join(folder, 'auth.json')]
      const login = (name: string, secret: string) =>
        attempt('skopeo', ['login', ...auth, '--tls-verify=false', '-u', name, '-p', secret, host])
      const copy = async (into: string) =>
        await attempt('skopeo', [
          '--insecure-policy',
          'copy',
          ...auth,
          '--src-tls-verify=false',
          `docker://${host}/cvi/shared:latest`,
          `dir:${join(folder, into)}`,
        ])
      expect((await copy('anonymous')).code).not.toBe(0)
      expect((await login(node.name, 'wrong')).code).not.toBe(0)
      for (const [name, secret] of [
        [node.name, node.password],
        ['viewer', tokenOf('viewer')],
      ] as const) {
        expect(await login(name, secret)).toMatchObject({ code: 0 })
        expect(await copy(`by-${name}`)).toMatchObject({ code: 0 })
      }
    },
  )

  test.skipIf(!needs('skopeo', 'apt-get install skopeo'))(
    'skopeo pushes where its caller may, and nowhere else',
    async () => {
      const host = new URL(service.base).host
      const skopeo = (from: string, to: string, caller: string, secret: string) =>
        attempt('skopeo', [
          '--insecure-policy',
          'copy',
          '--src-tls-verify=false',
          '--dest-tls-verify=false',
          `--src-creds=${caller}:${secret}`,
          `--dest-creds=${caller}:${secret}`,
          `docker://${host}/${from}`,
          `docker://${host}/${to}`,
        ])
      const push = async (caller: string, to: string) =>
        (await skopeo('cvi/shared:latest', to, caller, tokenOf(caller))).code
      expect(await push('ci-a', 'team-a/base/linux:1')).toBe(0)
      expect(await push('editor', 'team-a/base/linux:2')).not.toBe(0)
      expect(await push('editor', 'team-b/linux:1')).toBe(0)
      expect(await push('viewer', 'team-b/linux:2')).not.toBe(0)
      expect(await push('admin', 'cvi/planted:1')).not.toBe(0)
      const tags = async (repository: string) =>
        await (
          await get(`${service.base}/v2/${repository}/tags/list`, { authorization: nodeHeader })
        ).json()
      expect(await tags('team-a/base/linux')).toMatchObject({ tags: ['1'] })
      expect(await tags('team-b/linux')).toMatchObject({ tags: ['1'] })
    },
  )

  test('nothing that was shown as a secret stands in the log', async () => {
    await statusOf(service.rest.url(), bearer('nobody-of-this-name'))
    const line = await service.logs.line(({ msg }) => msg === 'an attempt was refused')
    expect(line).toMatchObject({ level: 40, address: '127.0.0.1' })
    const log = service.logs.toString()
    for (const secret of ['nobody-of-this-name', node.password, tokenOf('editor'), 'eyJ']) {
      expect(log).not.toContain(secret)
    }
  })
})

describe('files of credentials', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  let paths: CallerPaths
  beforeAll(async () => {
    const guarded = resources.use(await startGuarded())
    ;({ service, paths } = guarded)
  })
  afterAll(() => resources.disposeAsync())

  /** Changes are seen a second later at the latest. */
  const becomes = async (status: number, authorization: string, url = service.rest.url()) =>
    await expect
      .poll(() => statusOf(url, authorization), { timeout: 10_000, interval: 500 })
      .toBe(status)

  test('are read again when they change, and tokens issued before end with their owner', async () => {
    const scope = ['repository:cvi/shared:pull']
    const issued = `Bearer ${await tokenFor(service.base, scope, bearer('viewer'))}`
    const manifest = `${service.base}/v2/cvi/shared/manifests/latest`
    expect(await statusOf(manifest, issued)).toBe(200)
    const before = await readFile(paths.tokens, 'utf8')
    await writeFile(paths.tokens, before.replace(/^viewer:.*\n/m, tokenLine('late', 'viewer')))
    await becomes(200, bearer('late'))
    expect(await statusOf(service.rest.url(), bearer('viewer'))).toBe(401)
    expect(await statusOf(manifest, issued)).toBe(401)
  })

  test('may be links that are turned elsewhere, as Kubernetes mounts secrets', async () => {
    const aside = `${paths.passwords}.other`
    await writeFile(aside, await passwordLine('node', 'changed'))
    await rm(paths.passwords)
    await symlink(aside, `${paths.passwords}.link`)
    await rename(`${paths.passwords}.link`, paths.passwords)
    await becomes(200, basic('node', 'changed'), `${service.base}/v2/`)
    expect(await statusOf(`${service.base}/v2/`, nodeHeader)).toBe(401)
  })

  test('that have become bad leave what they said before in force, and say so once', async () => {
    await appendFile(paths.tokens, 'late:viewer:no-hash\n')
    const bad = (line: Line) => line['level'] === 50
    const look = async () => {
      expect(await statusOf(service.rest.url(), bearer('late'))).toBe(200)
      return service.logs.lines.filter(bad).length
    }
    await expect.poll(look, { timeout: 10_000 }).toBe(1)
    const told = await service.logs.line(bad)
    expect(await statusOf(service.rest.url(), bearer('late'))).toBe(200)
    expect(told.msg).toContain(
      `SLIPWAY_TOKENS_FILE is "${paths.tokens}", line 6: a line is name:role:sha256`,
    )
    expect(service.logs.lines.filter(bad)).toHaveLength(1)
  })
})

describe('guessing', () => {
  test('ends after ten failures, and does not shut out who was let in from there before', async () => {
    await using guarded = await startGuarded({ SLIPWAY_TRUSTED_PROXIES: '127.0.0.1' })
    const { service } = guarded
    const url = `${service.base}/v2/`
    expect(await statusOf(url, nodeHeader)).toBe(200)
    for (let count = 0; count < 10; count += 1) {
      expect(await statusOf(url, basic('admin', `guess ${count}`))).toBe(401)
    }
    const refused = await get(url, { authorization: basic('viewer', tokenOf('viewer')) })
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30)
    expect(await refused.json()).toMatchObject({ errors: [{ code: 'TOOMANYREQUESTS' }] })
    expect(await statusOf(url, nodeHeader)).toBe(200)
    expect(await statusOf(url)).toBe(401)
    const headers = { authorization: bearer('viewer'), 'x-forwarded-for': '192.0.2.7, 203.0.113.9' }
    expect((await get(url, headers)).status).toBe(200)
  })
})

describe('pulling without credentials', () => {
  test('is all that is open where that is said', async () => {
    await using guarded = await startGuarded({ SLIPWAY_ANONYMOUS_PULL: 'true' })
    const { service, folder } = guarded
    expect(await statusOf(`${service.base}/v2/`)).toBe(401)
    expect(await statusOf(`${service.base}/v2/cvi/shared/manifests/latest`)).toBe(200)
    expect(await statusOf(`${service.base}/v2/cvi/secret-one/manifests/latest`)).toBe(401)
    expect(await statusOf(service.rest.url('/shared/disk'), undefined, { method: 'HEAD' })).toBe(
      200,
    )
    expect(await statusOf(service.rest.url('/secret-one/disk'))).toBe(401)
    expect(await statusOf(service.rest.url('/shared'))).toBe(401)
    expect(await statusOf(service.rest.url())).toBe(401)
    const token = await tokenFor(service.base, ['repository:cvi/shared:pull,push'])
    expect(claimsOf(token).access).toEqual([
      { type: 'repository', name: 'cvi/shared', actions: ['pull'] },
    ])
    if (!needs('skopeo', 'apt-get install skopeo')) return
    const from = `docker://${new URL(service.base).host}/cvi/shared:latest`
    const into = `dir:${join(folder, 'pulled')}`
    await run('skopeo', ['--insecure-policy', 'copy', '--src-tls-verify=false', from, into])
  })
})

describe('the start', () => {
  const resources = new AsyncDisposableStack()
  let folder: string
  beforeAll(async () => {
    folder = resources.use(await temporaryFolder()).path
  })
  afterAll(() => resources.disposeAsync())

  async function refused(variables: Record<string, string>): Promise<string> {
    const { args, env } = serveOn(join(folder, 'data'), variables)
    const { code, stderr } = await attempt(process.execPath, args, { env, limit: 20_000 })
    expect(code).toBe(2)
    return stderr
  }

  test('is refused elsewhere than on loopback, unless there are credentials', async () => {
    const everywhere = { SLIPWAY_LISTEN: '0.0.0.0:0' }
    expect(await refused(everywhere)).toContain('but no credentials are configured')
    const paths = await writeCallers(folder)
    await using service = await startService({ ...everywhere, SLIPWAY_TOKENS_FILE: paths.tokens })
    const url = service.rest.url().replace('0.0.0.0', '127.0.0.1')
    expect(await statusOf(url)).toBe(401)
    expect(await statusOf(url, bearer('viewer'))).toBe(200)
  })

  test('is refused with a bad file, in one line that says where and what to do', async () => {
    const path = join(folder, 'bad')
    await writeFile(path, '# passwords\nnode:$apr1$abc$defghijklmnopqrstuvwxyz\n')
    const line = `SLIPWAY_HTPASSWD_FILE is "${path}", line 2: the hash of "node" is not bcrypt; make it with \`htpasswd -B FILE NAME\`\n`
    expect(await refused({ SLIPWAY_HTPASSWD_FILE: path })).toBe(line)
    const missing = join(folder, 'missing')
    expect(await refused({ SLIPWAY_TOKENS_FILE: missing })).toContain(
      `SLIPWAY_TOKENS_FILE is "${missing}": it cannot be read (ENOENT)`,
    )
  })
})
