import { beforeEach, describe, expect, test } from 'vitest'
import { ClusterCallers } from '../../../src/serve/auth/cluster-callers.ts'
import { claimedBy } from '../../../src/serve/auth/cluster-token.ts'
import { jwt, StandInCluster } from '../../support/stand-in-cluster.ts'
import { listening } from './listener-under-test.ts'

const minute = 60_000
const ci = 'system:serviceaccount:team-a:ci'
const unavailable = expect.objectContaining({ code: 'CLUSTER_UNAVAILABLE' })
const denied = expect.objectContaining({ code: 'DENIED' })
const unhindered = () => undefined

let clock: { now: number; date: number }
let cluster: StandInCluster
let callers: ClusterCallers
let lines: ReturnType<typeof listening>['lines']

beforeEach(() => {
  clock = { now: 1000, date: 1_800_000_000_000 }
  cluster = new StandInCluster()
  const heard = listening()
  lines = heard.lines
  callers = new ClusterCallers({
    reviews: cluster,
    log: heard.log,
    now: () => clock.now,
    date: () => clock.date,
  })
})

async function find(token: string, before = unhindered) {
  const claimed = claimedBy(token)
  if (!claimed) throw new Error('this looks like no token of a cluster')
  return await callers.find(token, claimed, before)
}

function pass(milliseconds: number): void {
  clock.now += milliseconds
  clock.date += milliseconds
}

describe('a token of the cluster', () => {
  test.each([
    ['no token', 'secret'],
    ['three words', 'one.two.three'],
    ['a token without a signature', jwt({ sub: 'x' }, { alg: 'none' })],
    ['one that was signed with a shared key', jwt({ sub: 'x' }, { alg: 'HS256' })],
    ['claims that are no object', `${jwt({}).split('.')[0]}.W10.c2ln`],
  ])('is not %s', (_, token) => expect(claimedBy(token)).toBeNull())

  test('says whom it is meant for, and until when', () => {
    const token = jwt({ aud: ['a', 'slipway'], exp: 1_800_000_000 })
    expect(claimedBy(token)).toEqual({ audiences: ['a', 'slipway'], expires: 1_800_000_000_000 })
    expect(claimedBy(jwt({ aud: 'a' }))).toEqual({ audiences: ['a'], expires: null })
  })

  test('has to be meant for this service where it says so, else for the API server', async () => {
    const [own, usual] = [jwt({ aud: ['slipway'] }), jwt({ aud: ['https://kubernetes'] })]
    await find(own)
    await find(usual)
    expect(cluster.asked).toEqual([
      { token: own, audience: 'slipway' },
      { token: usual, audience: null },
    ])
  })

  test.each([
    [['*', 'create', 'delete', 'get'], 'admin'],
    [['create', 'delete', 'get'], 'editor'],
    [['get'], 'viewer'],
    [['create', 'get'], 'viewer'],
  ])('with a right to %s is that of one in the role %s', async (verbs, role) => {
    const token = cluster.knows(jwt({}), ci, ...verbs)
    expect(await find(token)).toMatchObject({ name: ci, role })
  })

  test('without any right is refused, with its name and what it lacks', async () => {
    const token = cluster.knows(jwt({}), ci, 'list')
    await expect(find(token)).rejects.toMatchObject({
      code: 'DENIED',
      message: `"${ci}" may do nothing here; bind it a ClusterRole that lets it get clustervirtualimages.virtualization.deckhouse.io`,
    })
  })

  test.each([
    ['one in the files may have', 'admin', 'user:admin'],
    ['another one in the cluster has', 'user:admin', 'user:user:admin'],
  ])('never bears a name that %s', async (_, username, name) => {
    const token = cluster.knows(jwt({}), username, 'get')
    expect(await find(token)).toMatchObject({ name })
  })
})

describe('what the API server says of a token', () => {
  test('holds for a minute when it is good, and no longer', async () => {
    const token = cluster.knows(jwt({}), ci, 'get')
    await find(token)
    pass(minute - 1)
    await find(token)
    expect(cluster.asked).toHaveLength(1)
    cluster.knows(token, ci, 'create', 'delete')
    pass(1)
    expect(await find(token)).toMatchObject({ role: 'editor' })
    cluster.knows(token, ci)
    pass(minute)
    await expect(find(token)).rejects.toEqual(denied)
    cluster.tokens.delete(token)
    pass(10_000)
    expect(await find(token)).toBeNull()
  })

  test('holds no longer than the token itself', async () => {
    const token = cluster.knows(jwt({ exp: clock.date / 1000 + 30 }), ci, 'get')
    const identity = await find(token)
    pass(29_999)
    expect(await callers.holder(ci, identity?.stamp ?? '')).toEqual(identity)
    pass(1)
    expect(await find(token)).toBeNull()
    expect(await callers.holder(ci, identity?.stamp ?? '')).toBeNull()
    expect(cluster.asked).toHaveLength(1)
  })

  test('holds for ten seconds when it is bad', async () => {
    const token = jwt({})
    expect(await find(token)).toBeNull()
    cluster.knows(token, ci, 'get')
    pass(9_999)
    expect(await find(token)).toBeNull()
    pass(1)
    expect(await find(token)).toMatchObject({ name: ci })
    expect(cluster.asked).toHaveLength(2)
  })

  test('is asked for once, however many show it', async () => {
    const token = cluster.knows(jwt({}), ci, 'get')
    const all = await Promise.all(Array.from({ length: 100 }, () => find(token)))
    expect(new Set(all.map((identity) => identity?.name))).toEqual(new Set([ci]))
    pass(minute)
    await Promise.all(Array.from({ length: 100 }, () => find(token)))
    expect(cluster.asked).toHaveLength(2)
  })

  test('is kept for some thousand tokens, those that were used last', async () => {
    const tokens = Array.from({ length: 4097 }, (_, nth) => jwt({ nth }))
    for (const [nth, token] of tokens.entries()) {
      cluster.knows(token, `${ci}-${nth}`, 'get')
      await find(token)
    }
    await find(tokens[1] ?? '')
    expect(cluster.asked).toHaveLength(4097)
    await find(tokens[0] ?? '')
    expect(cluster.asked).toHaveLength(4098)
  })
})

describe('a holder', () => {
  test('is found by the stamp as long as the token is good', async () => {
    const token = cluster.knows(jwt({}), ci, 'get')
    const { stamp = '' } = (await find(token)) ?? {}
    expect(stamp).not.toContain(token)
    pass(minute)
    expect(await callers.holder(ci, stamp)).toMatchObject({ name: ci, role: 'viewer' })
    expect(await callers.holder('someone:else', stamp)).toBeNull()
    cluster.knows(token, ci)
    pass(minute)
    expect(await callers.holder(ci, stamp)).toBeNull()
    expect(await callers.holder(ci, stamp)).toBeNull()
  })
})

describe('a flood of tokens that were made up', () => {
  test('asks the API server eight at a time, and keeps a few waiting', async () => {
    const known = cluster.knows(jwt({}), ci, 'get')
    await find(known)
    pass(minute)
    const { promise, resolve } = Promise.withResolvers<void>()
    cluster.hold = promise
    const flood = Array.from({ length: 100 }, (_, nth) => find(jwt({ nth })))
    const renewed = find(known)
    await expect.poll(() => cluster.asked.length).toBe(1 + 8 + 1)
    resolve()
    const ended = await Promise.allSettled(flood)
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(40)
    expect(ended.at(-1)).toMatchObject({ reason: { code: 'TOO_MANY_REQUESTS' } })
    expect(await renewed).toMatchObject({ name: ci })
    expect(cluster.asked).toHaveLength(1 + 40 + 1)
    // The one who is known asks about four verbs at once.
    expect(cluster.mostAtOnce).toBeLessThanOrEqual(8 + 4)
  })

  test('is looked at again before the API server is asked', async () => {
    const stop = () => {
      throw new Error('too many failed')
    }
    await expect(find(jwt({}), stop)).rejects.toThrow('too many failed')
    expect(cluster.asked).toEqual([])
  })
})

describe('while the API server is away', () => {
  test('nobody is found who was not known before', async () => {
    cluster.isAway = true
    await expect(find(jwt({}))).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
      retryAfter: 10_000,
    })
    cluster.isAway = false
    expect(await find(jwt({}))).toBeNull()
  })

  test('those who are known stay so for five minutes more, and it is asked now and then', async () => {
    const token = cluster.knows(jwt({}), ci, 'get')
    const identity = await find(token)
    cluster.isAway = true
    pass(minute)
    for (let times = 0; times < 5; times += 1) expect(await find(token)).toEqual(identity)
    expect(cluster.asked).toHaveLength(2)
    pass(10_000)
    expect(await find(token)).toEqual(identity)
    expect(cluster.asked).toHaveLength(3)
    pass(5 * minute - 10_001)
    expect(await callers.holder(ci, identity?.stamp ?? '')).toEqual(identity)
    pass(1)
    await expect(find(token)).rejects.toEqual(unavailable)
    await expect(callers.holder(ci, identity?.stamp ?? '')).rejects.toEqual(unavailable)
    expect(cluster.asked).toHaveLength(4)
    cluster.isAway = false
    pass(10_000)
    expect(await find(token)).toEqual(identity)
    const said = lines.filter(({ level }) => level >= 30).map(({ msg }) => msg)
    expect(said).toEqual(['away', 'the API server says again who callers are'])
  })

  test('many who are known wait for no more than the first of them', async () => {
    const tokens = Array.from({ length: 100 }, (_, nth) => cluster.knows(jwt({ nth }), ci, 'get'))
    for (const token of tokens) await find(token)
    pass(minute)
    cluster.isAway = true
    const { promise, resolve } = Promise.withResolvers<void>()
    cluster.hold = promise
    const renewed = Promise.all(tokens.map((token) => find(token)))
    await expect.poll(() => cluster.asked.length).toBe(100 + 8)
    resolve()
    expect(new Set((await renewed).map((identity) => identity?.name))).toEqual(new Set([ci]))
    await Promise.all(tokens.map((token) => find(token)))
    expect(cluster.asked).toHaveLength(100 + 8)
  })

  test('for others, one of whom nothing is known any more is asked about all the same', async () => {
    const token = cluster.knows(jwt({}), ci, 'get')
    await find(token)
    pass(6 * minute)
    cluster.isAway = true
    await expect(find(jwt({ made: 'up' }))).rejects.toEqual(unavailable)
    cluster.isAway = false
    expect(await find(token)).toMatchObject({ name: ci })
  })

  test('a token that has expired is nobody’s', async () => {
    const token = cluster.knows(jwt({ exp: clock.date / 1000 + 90 }), ci, 'get')
    await find(token)
    cluster.isAway = true
    pass(90_000)
    expect(await find(token)).toBeNull()
  })
})
