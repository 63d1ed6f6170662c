import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { noRules } from '../../../src/serve/auth/access-rules.ts'
import { ClusterCallers } from '../../../src/serve/auth/cluster-callers.ts'
import { Visitor } from '../../../src/serve/auth/visitor.ts'
import { basic, tokenOf, writeCallers, type CallerPaths } from '../../support/callers.ts'
import { jwt, StandInCluster } from '../../support/stand-in-cluster.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { guarded } from './doors-under-test.ts'
import { listening } from './listener-under-test.ts'

const resources = new AsyncDisposableStack()
let paths: CallerPaths
beforeAll(async () => {
  paths = await writeCallers(resources.use(await temporaryFolder()).path)
})
afterAll(() => resources.disposeAsync())

const ci = 'system:serviceaccount:team-a:ci'
const list = '/api/v1/images'
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const issued = z.object({ token: z.string() })

let clock: { now: number }
let cluster: StandInCluster
let callers: ClusterCallers
beforeEach(() => {
  clock = { now: 0 }
  cluster = new StandInCluster()
  const now = () => clock.now
  callers = new ClusterCallers({ reviews: cluster, log: listening().log, now, date: now })
})

const start = () => guarded(paths, { cluster: callers })

describe('with tokens of the cluster', () => {
  test('those of the files go on, and the API server does not hear of them', async () => {
    const { status } = await start()
    cluster.isAway = true
    expect(await status(list, bearer(tokenOf('viewer')))).toBe(200)
    const node = { authorization: basic('node', 'of the cluster') }
    expect(await status('/v2/cvi/a/manifests/x', node)).toBe(200)
    expect(await status(list, { authorization: basic('node', 'wrong') })).toBe(401)
    expect(await status(list, bearer('nobodys'))).toBe(401)
    expect(cluster.asked).toEqual([])
  })

  test('those who may do nothing are attempts that failed, but not each time they come', async () => {
    const { status } = await start()
    const powerless = (nth: number) => bearer(cluster.knows(jwt({ nth }), ci, 'list'))
    const first = powerless(0)
    for (let times = 0; times < 20; times += 1) expect(await status(list, first)).toBe(403)
    for (let nth = 1; nth < 10; nth += 1) expect(await status(list, powerless(nth))).toBe(403)
    expect(await status(list, powerless(10))).toBe(429)
    expect(cluster.asked).toHaveLength(10)
  })

  test('one is shown as a bearer token, or as the password of any name', async () => {
    const { status } = await start()
    const viewer = cluster.knows(jwt({}), ci, 'get')
    expect(await status(list, bearer(viewer))).toBe(200)
    expect(await status(list, bearer(viewer), { method: 'POST' })).toBe(403)
    for (const name of ['any', 'node', '']) {
      expect(await status(list, { authorization: basic(name, viewer) })).toBe(200)
    }
    expect(await status('/v2/cvi/a/manifests/x', bearer(viewer))).toBe(200)
    expect(await status('/metrics', bearer(viewer))).not.toBe(401)
    expect(cluster.asked).toHaveLength(1)
  })

  test('one without rights is told what it lacks, and is named in the log', async () => {
    const { ask, lines } = await start()
    const powerless = cluster.knows(jwt({}), ci)
    const answer = await ask(list, bearer(powerless))
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ code: 'DENIED' })
    expect(lines).toContainEqual(
      expect.objectContaining({ why: expect.stringContaining(`"${ci}" may do nothing here`) }),
    )
    const viewer = cluster.knows(jwt({ other: true }), ci, 'get')
    await ask(list, bearer(viewer), { method: 'DELETE' })
    expect(lines).toContainEqual(expect.objectContaining({ caller: ci }))
    expect(JSON.stringify(lines)).not.toContain(viewer)
    expect(JSON.stringify(lines)).not.toContain(powerless)
  })

  test('ten that were made up are the last of their address, for which no more is asked', async () => {
    const { ask, status } = await start()
    const known = cluster.knows(jwt({}), ci, 'get')
    expect(await status(list, bearer(known))).toBe(200)
    for (let nth = 0; nth < 10; nth += 1) {
      expect(await status(list, bearer(jwt({ nth })))).toBe(401)
    }
    const answer = await ask(list, bearer(jwt({ nth: 10 })))
    expect(answer.status).toBe(429)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(cluster.asked).toHaveLength(11)
    expect(await status(list, bearer(known))).toBe(200)
    expect(await status(list, bearer(jwt({ nth: 11 })), { peer: '192.0.2.2' })).toBe(401)
  })

  test('many at once from one address count before they are asked about', async () => {
    const { status } = await start()
    const flood = Array.from({ length: 40 }, (_, nth) => status(list, bearer(jwt({ nth }))))
    const ended = await Promise.all(flood)
    expect(new Set(ended)).toEqual(new Set([401, 429]))
    // Eight are asked about at a time, and count once that has ended.
    expect(cluster.asked.length).toBeLessThanOrEqual(3 * 8)
  })

  test('an unknown one has to come again while the API server is away', async () => {
    const { ask } = await start()
    cluster.isAway = true
    for (const path of [list, '/v2/']) {
      const answer = await ask(path, bearer(jwt({})))
      expect(answer.status).toBe(503)
      expect(answer.headers.get('retry-after')).toBe('10')
    }
  })

  test('one is changed for a token of the registry, which ends with its rights', async () => {
    const { ask, status } = await start()
    const pusher = cluster.knows(jwt({}), ci, 'get', 'create', 'delete')
    const login = { authorization: basic('anybody', pusher) }
    const { token } = issued.parse(
      await (await ask('/token?scope=repository:cvi/a:pull,push', login)).json(),
    )
    expect(await status('/v2/cvi/a/manifests/x', bearer(token))).toBe(200)
    expect(await status('/v2/cvi/b/manifests/x', bearer(token))).toBe(401)
    cluster.knows(pusher, ci)
    expect(await status('/v2/cvi/a/manifests/x', bearer(token))).toBe(200)
    clock.now += 60_000
    expect(await status('/v2/cvi/a/manifests/x', bearer(token))).toBe(401)
  })

  test('rules name them as they are, and take nobody else for them', async () => {
    const file = `${paths.access}.cluster`
    const repository = 'team-b/**'
    await writeFile(
      file,
      JSON.stringify({
        rules: [
          { repository, allow: { [ci]: ['push'] } },
          { repository: 'team-a/**', allow: { 'ci-a': ['push'] } },
        ],
      }),
    )
    const { status } = await guarded(paths, { cluster: callers, accessFile: file })
    const push = async (token: string, team: string) =>
      await status(`/v2/${team}/x/manifests/x`, bearer(token), { method: 'PUT' })
    const account = cluster.knows(jwt({}), ci, 'get')
    expect(await push(account, 'team-b')).toBe(200)
    expect(await push(account, 'team-a')).toBe(403)
    const user = cluster.knows(jwt({ other: true }), 'ci-a', 'get')
    expect(await push(user, 'team-a')).toBe(403)
    expect(await push(tokenOf('ci-a'), 'team-a')).toBe(200)
  })

  test('a visitor of earlier is one until the rights are gone', async () => {
    const { gate } = await start()
    const token = cluster.knows(jwt({}), ci, 'get', 'create', 'delete')
    const identity = await callers.find(token, { audiences: [], expires: null }, () => undefined)
    const visitor = new Visitor({ identity, rules: noRules, anonymousPull: false, scope: null })
    expect((await gate.again(visitor))?.reaches('write')).toBe(true)
    cluster.knows(token, ci, 'get')
    clock.now += 60_000
    expect((await gate.again(visitor))?.reaches('write')).toBe(false)
    cluster.knows(token, ci)
    clock.now += 60_000
    expect(await gate.again(visitor)).toBeNull()
  })
})
