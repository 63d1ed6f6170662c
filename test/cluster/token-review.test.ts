import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { basic, tokenLine, tokenOf } from '../support/callers.ts'
import { clientHome, hostOf, needsTool, said, tool, type Home } from '../support/clients.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { within } from '../support/deadline.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { get, problemOf, send } from '../support/rest.ts'
import { serveOn, startService, type Service } from '../support/service.ts'
import { attempt } from '../support/shell.ts'

const able = [
  needsCluster(),
  needs('openssl', 'apt-get install openssl'),
  needs('skopeo', 'apt-get install skopeo'),
  needsTool('crane'),
].every(Boolean)

const images = 'clustervirtualimages.virtualization.deckhouse.io'
/** Roles by the verbs that make them. */
const verbs = {
  viewer: 'get,list,watch',
  editor: 'get,list,watch,create,delete',
  admin: '*',
  lister: 'list',
} as const
const accounts = [...Object.keys(verbs), 'nobody', 'listener', 'leaver']

/** Rights that were taken away end within a minute, and a silent stream looks every quarter of one; in milliseconds. */
const endsWithin = 100_000

let cluster: Cluster
let service: Service
let home: Home
const held = new AsyncDisposableStack()

const ofTeam = (name: string) => `system:serviceaccount:team:${name}`
const tokenFor = (name: string, ...audiences: readonly string[]) =>
  cluster.serviceAccountToken('team', name, audiences)
const bearer = (token: string) => `Bearer ${token}`

/** A binding bears the name of its account. */
async function bind(account: string, role: string): Promise<void> {
  const subject = `--serviceaccount=team:${account}`
  await cluster.kubectl('create', 'clusterrolebinding', account, `--clusterrole=${role}`, subject)
}

async function startCaller(name: string, variables: Record<string, string> = {}) {
  const token = await cluster.serviceAccountToken('slipway', name)
  const KUBECONFIG = await cluster.kubeconfigFor(token)
  return await startService({ SLIPWAY_AUTH: 'kubernetes', KUBECONFIG, ...variables })
}

async function statusOf(url: string, authorization: string, init: RequestInit = {}) {
  const signal = AbortSignal.timeout(20_000)
  return (await fetch(url, { ...init, headers: { authorization }, signal })).status
}

beforeAll(async () => {
  if (!able) return
  cluster = held.use(await startCluster())
  home = held.use(await clientHome())
  for (const namespace of ['slipway', 'team']) await cluster.kubectl('create', 'ns', namespace)
  for (const name of ['slipway', 'stranger']) {
    await cluster.kubectl('create', 'serviceaccount', name, '-n', 'slipway')
  }
  const own = ['--clusterrole=system:auth-delegator', '--serviceaccount=slipway:slipway']
  await cluster.kubectl('create', 'clusterrolebinding', 'slipway-reviews', ...own)
  for (const name of accounts) await cluster.kubectl('create', 'serviceaccount', name, '-n', 'team')
  for (const [role, may] of Object.entries(verbs)) {
    const rules = [
      {
        apiGroups: ['virtualization.deckhouse.io'],
        resources: ['clustervirtualimages'],
        verbs: may.split(','),
      },
    ]
    const kind = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' }
    await cluster.apply(JSON.stringify({ ...kind, metadata: { name: role }, rules }))
    await bind(role, role)
  }
  await bind('listener', 'viewer')
  await bind('leaver', 'editor')
  await writeFile(home.at('tokens'), tokenLine('filed', 'editor'))
  service = held.use(await startCaller('slipway', { SLIPWAY_TOKENS_FILE: home.at('tokens') }))
  const url = await service.rest.as(tokenOf('filed')).createUpload('shared')
  expect((await send(url, disk(mebibyte))).status).toBe(201)
})
afterAll(() => held.disposeAsync())

describe.skipIf(!able)('with an API server', () => {
  test('a service account has the role that its rights make', async () => {
    const create = { method: 'POST', body: '{}' }
    const codes = async (name: string) => {
      const authorization = bearer(await tokenFor(name))
      return [
        await statusOf(service.rest.url(), authorization),
        await statusOf(service.rest.url('/shared/disk'), authorization),
        // Without a content type this ends with 415, once it is let in.
        await statusOf(service.rest.url(), authorization, create),
        await statusOf(service.rest.url('/missing'), authorization, { method: 'DELETE' }),
        await statusOf(`${service.base}/api/v1/storage/gc`, authorization, create),
      ]
    }
    expect(await codes('admin')).toEqual([200, 200, 415, 404, 415])
    expect(await codes('editor')).toEqual([200, 200, 415, 404, 403])
    expect(await codes('viewer')).toEqual([200, 200, 403, 403, 403])
    expect(await codes('lister')).toEqual([403, 403, 403, 403, 403])
  })

  test('one without rights is told its name and what it lacks', async () => {
    const answer = await get(service.rest.url(), {
      authorization: bearer(await tokenFor('nobody')),
    })
    expect(answer.status).toBe(403)
    expect(await problemOf(answer)).toMatchObject({
      code: 'DENIED',
      detail: `"${ofTeam('nobody')}" may do nothing here; bind it a ClusterRole that lets it get ${images}`,
    })
  })

  test('a token is meant for this service or for the API server', async () => {
    const as = async (...audiences: readonly string[]) =>
      await statusOf(service.rest.url(), bearer(await tokenFor('viewer', ...audiences)))
    expect(await as('slipway')).toBe(200)
    expect(await as('elsewhere')).toBe(401)
    expect(await as('elsewhere', 'slipway')).toBe(200)
  })

  test('a token ends with what it is bound to', async () => {
    await cluster.kubectl('create', 'secret', 'generic', 'bond', '-n', 'team')
    const bound = ['--bound-object-kind=Secret', '--bound-object-name=bond']
    const token = await cluster.kubectl('create', 'token', 'viewer', '-n', 'team', ...bound)
    await cluster.kubectl('delete', 'secret', 'bond', '-n', 'team')
    expect(await statusOf(service.rest.url(), bearer(token.trim()))).toBe(401)
  })

  test('clients of the registry log in with any name, and do what the role lets them', async () => {
    const [host, editor, viewer] = [
      hostOf(service.base),
      await tokenFor('editor'),
      await tokenFor('viewer'),
    ]
    const copy = ['--insecure-policy', 'copy', '--src-tls-verify=false', '--dest-tls-verify=false']
    const login = ['login', '--tls-verify=false', '-u', 'whoever', host]
    const image = `docker://${host}/cvi/shared:latest`
    await home.run('skopeo', ...login, '-p', viewer)
    await home.run('skopeo', ...copy, image, `dir:${home.at('pulled')}`)
    const pushed = [`dir:${home.at('pulled')}`, `docker://${host}/team/pushed:1`] as const
    const refused = await home.attempt('skopeo', ...copy, ...pushed)
    expect(refused.code).not.toBe(0)
    expect(said(refused)).toMatch(/denied/i)
    await home.run('skopeo', ...login, '-p', editor)
    await home.run('skopeo', ...copy, ...pushed)
    await home.run(tool('crane'), 'auth', 'login', host, '-u', 'any', '-p', viewer)
    const digest = await home.run(tool('crane'), 'digest', '--insecure', `${host}/team/pushed:1`)
    expect(digest).toMatch(/^sha256:/)
    const wrong = await home.attempt('skopeo', ...login, '-p', `${viewer}x`)
    expect(wrong.code).not.toBe(0)
    expect(service.logs.lines).toContainEqual(
      expect.objectContaining({
        caller: ofTeam('viewer'),
        why: `"${ofTeam('viewer')}" may not push team/pushed`,
      }),
    )
    for (const token of [editor, viewer]) expect(service.logs.toString()).not.toContain(token)
  })

  test('the files hold beside it', async () => {
    expect(await statusOf(service.rest.url(), bearer(tokenOf('filed')))).toBe(200)
    expect(await statusOf(service.rest.url(), basic('filed', 'wrong'))).toBe(401)
  })

  test('the API server is asked for reviews alone, and not with each request', async () => {
    const authorization = bearer(await tokenFor('viewer'))
    const asked = async () =>
      (await cluster.audit()).filter(({ user }) => user === 'system:serviceaccount:slipway:slipway')
    const before = (await asked()).length
    const all = Array.from({ length: 50 }, () => statusOf(service.rest.url(), authorization))
    expect(new Set(await Promise.all(all))).toEqual(new Set([200]))
    await expect.poll(async () => (await asked()).length - before).toBe(1 + 4)
    const kinds = (await asked()).map(({ verb, resource, code }) => `${verb} ${resource} ${code}`)
    expect(new Set(kinds)).toEqual(
      new Set(['create tokenreviews 201', 'create subjectaccessreviews 201']),
    )
  })

  test('while it is away those who are known go on, others come again, and it is back at once', async () => {
    const [known, unknown] = [await tokenFor('viewer'), await tokenFor('viewer', 'slipway')]
    expect(await statusOf(service.rest.url(), bearer(known))).toBe(200)
    await cluster.stopApiServer()
    const answer = await get(service.rest.url(), { authorization: bearer(unknown) })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('10')
    expect(await problemOf(answer)).toMatchObject({ code: 'CLUSTER_UNAVAILABLE' })
    expect(await statusOf(service.rest.url(), bearer(known))).toBe(200)
    expect(await statusOf(service.rest.url(), bearer(tokenOf('filed')))).toBe(200)
    expect(await statusOf(`${service.base}/readyz`, '')).toBe(200)
    await cluster.startApiServer()
    expect(await statusOf(service.rest.url(), bearer(unknown))).toBe(200)
  })

  test('it is not waited for without end', async () => {
    const token = bearer(await tokenFor('viewer', 'slipway', 'hanging'))
    process.kill(cluster.apiServerPid, 'SIGSTOP')
    try {
      expect(await statusOf(service.rest.url(), token)).toBe(503)
    } finally {
      process.kill(cluster.apiServerPid, 'SIGCONT')
    }
    expect(await statusOf(service.rest.url(), token)).toBe(200)
  })

  test('an account that may not ask is told about in the answer and in the log', async () => {
    await using other = await startCaller('stranger')
    const answer = await get(other.rest.url(), { authorization: bearer(await tokenFor('viewer')) })
    expect(answer.status).toBe(503)
    const told = 'bind the ClusterRole system:auth-delegator to its account'
    expect(await problemOf(answer)).toMatchObject({ detail: expect.stringContaining(told) })
    await other.logs.line(({ level, msg }) => level === 50 && msg.includes(told))
  })

  test(
    'events end with the rights, and with the account',
    { timeout: 2 * endsWithin },
    async () => {
      const listen = async (name: string) => {
        const authorization = bearer(await tokenFor(name))
        const answer = await fetch(`${service.base}/api/v1/events`, { headers: { authorization } })
        expect(answer.status).toBe(200)
        return answer
      }
      const [listener, leaver] = [await listen('listener'), await listen('leaver')]
      await cluster.kubectl('delete', 'clusterrolebinding', 'listener')
      await cluster.kubectl('delete', 'serviceaccount', 'leaver', '-n', 'team')
      const ends = Promise.all([listener.text(), leaver.text()])
      const told = await within(endsWithin, 'the end of both streams', ends)
      for (const text of told) expect(text).toContain('shared')
    },
  )

  test('without a cluster it does not start', async () => {
    const { args, env } = serveOn(home.at('none'), { SLIPWAY_AUTH: 'kubernetes' })
    const missing = { ...env, KUBECONFIG: home.at('missing') }
    for (const variables of [env, missing]) {
      const { code, stderr } = await attempt(process.execPath, args, { env: variables })
      expect(code).toBe(2)
      expect(stderr).toContain('SLIPWAY_AUTH is "kubernetes", but the configuration for the API')
      expect(stderr.trim().split('\n')).toHaveLength(1)
    }
  })
})
