import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../../src/image/digest.ts'
import { mediaTypes } from '../../../../src/image/media-type.ts'
import { basic } from '../../../support/callers.ts'
import {
  json,
  redirectTo,
  startHostileRegistry,
  type HostileRegistry,
  type TokenDemand,
} from '../../../support/hostile-registry.ts'
import { forever, startNeighbour } from '../../../support/http-neighbour.ts'
import { deadline, failing } from '../visits.ts'
import { besideRegistry, client, login, type Pull } from './pulls.ts'

const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, layers: [] }
const digest = digestOf(Buffer.from(JSON.stringify(document)))
const fetched = (registry: HostileRegistry, pull: Pull = {}) =>
  client(registry.reference(), pull).manifest('latest', deadline())

/** Runs beside a registry that has the image, and asks for a token. */
const guarded = (
  demand: TokenDemand | null,
  run: (registry: HostileRegistry) => Promise<unknown>,
) =>
  besideRegistry(async (registry) => {
    registry.manifest('latest', document)
    if (demand) registry.demandToken(demand)
    await run(registry)
  })

const shown = (registry: HostileRegistry) =>
  registry.requests.map(({ path, headers }) => [
    path.split('?', 1)[0],
    headers.authorization ?? null,
  ])

const manifestPath = '/v2/team/image/manifests/latest'
const me = { section: login('me', 'pass:word') }

function configured(registry: HostileRegistry, entry: Record<string, string>): Pull {
  const config = JSON.stringify({ auths: { [registry.host]: entry } })
  return { section: { auth: { '.dockerconfigjson': config } } }
}

describe('a token', () => {
  test('is fetched for the repository, without credentials when there are none', () =>
    guarded({}, async (registry) => {
      expect((await fetched(registry)).digest).toBe(digest)
      const [, issue] = registry.requests
      expect(issue?.path).toBe(
        '/token?service=hostile%2C+registry&scope=repository%3Ateam%2Fimage%3Apull',
      )
      expect(shown(registry)).toEqual([
        [manifestPath, null],
        ['/token', null],
        [manifestPath, 'Bearer secret'],
      ])
    }))

  test('is fetched with the credentials that there are, which the registry does not see', () =>
    guarded({}, async (registry) => {
      await fetched(registry, me)
      expect(shown(registry)).toEqual([
        [manifestPath, null],
        ['/token', basic('me', 'pass:word')],
        [manifestPath, 'Bearer secret'],
      ])
    }))

  test('may be issued elsewhere, with a query of its own', () =>
    guarded(null, async (registry) => {
      await using issuer = await startNeighbour()
      const realm = issuer.url('/token?account=a')
      registry.demandToken({ issuer, realm })
      await fetched(registry, me)
      expect(issuer.requests[0]?.path).toContain('/token?account=a&service=')
      expect(issuer.requests[0]?.headers.authorization).toBe(basic('me', 'pass:word'))
    }))

  test('is kept for all requests of the client', () =>
    guarded({}, async (registry) => {
      const { digest, size } = registry.blob(Buffer.from('blob'))
      const one = client(registry.reference())
      await one.manifest('latest', deadline())
      await one.manifest('latest', deadline())
      const body = await one.blob({ digest, size }, 0, deadline())
      body.destroy()
      expect(registry.neighbour.count('/token')).toBe(1)
      expect(registry.requests).toHaveLength(5)
    }))

  test.each([
    [{ token: 'secret' }, 60],
    [{ token: 'secret', expires_in: 300 }, 300],
    [{ token: 'secret', expires_in: 20 }, 20],
    [{ token: 'secret', expires_in: 0 }, 60],
    [{ token: 'secret', expires_in: '300' }, 60],
  ])('as in %j is used until just before %i s', (answer, seconds) =>
    guarded({ issue: json(answer) }, async (registry) => {
      let now = 1_000_000
      const one = client(registry.reference(), { options: { now: () => now } })
      const issued = async () => {
        await one.manifest('latest', deadline())
        return registry.neighbour.count('/token')
      }
      expect(await issued()).toBe(1)
      now += seconds * 800
      expect(await issued()).toBe(1)
      now += seconds * 200
      expect(await issued()).toBe(2)
    }),
  )

  test.each([
    { access_token: 'secret' },
    { token: '', access_token: 'secret' },
    { token: 'secret', access_token: 'other', issued_at: 'nonsense', expires_in: null },
  ])('may be told as %j', (answer) =>
    guarded({ issue: json(answer) }, async (registry) => {
      expect((await fetched(registry)).digest).toBe(digest)
    }),
  )

  test.each([
    ['no JSON', { bytes: Buffer.from('<html>') }],
    ['nothing', { size: 0 }],
    ['null', json(null)],
    ['no token', json({})],
    ['empty', json({ token: '' })],
    ['a number', json({ token: 5 })],
    ['no header', json({ token: 'a\r\nb' })],
    ['too large', { bytes: Buffer.alloc(1_048_577, ' ') }],
    ['endless', { size: Number.MAX_SAFE_INTEGER, framing: 'chunked' }],
  ] as const)('that is broken is refused: %s', (_, issue) =>
    guarded({ issue }, async (registry) => {
      const { message } = await failing(fetched(registry, me), 'SOURCE_REFUSED')
      expect(message).toContain(`sends for a token to ${registry.neighbour.url('/token')}, which`)
      expect(message).not.toMatch(/pass|word|scope/)
      expect(registry.requests).toHaveLength(2)
    }),
  )

  test.each([429, 500, 503])('answered with %i may be had later', (status) =>
    guarded({ issue: { status, headers: { 'retry-after': '7' } } }, async (registry) => {
      expect((await failing(fetched(registry), 'SOURCE_UNAVAILABLE')).retryAfter).toBe(7000)
    }),
  )

  test('answered with 404 is refused', () =>
    guarded({ issue: { status: 404 } }, (registry) => failing(fetched(registry), 'SOURCE_REFUSED')))

  test('that takes too long in all is an outage', () =>
    guarded({ issue: { size: 9, pause: { at: 1, until: forever } } }, async (registry) => {
      const options = { documentWithin: 50 }
      await failing(fetched(registry, { options }), 'SOURCE_UNAVAILABLE')
    }))

  test('is fetched once for a request, whatever the registry says to it', () =>
    guarded({ issue: json({ token: 'wrong' }) }, async (registry) => {
      const { message } = await failing(fetched(registry, me), 'SOURCE_REFUSED')
      expect(message).toMatch(/^the registry does not take the credentials for .*; check them$/)
      expect(registry.requests).toHaveLength(3)
    }))
})

describe('a realm', () => {
  test.each([
    ['http://169.254.169.254/token', 'SOURCE_FORBIDDEN'],
    ['http://[::ffff:169.254.169.254]/token', 'SOURCE_FORBIDDEN'],
    ['http://0.0.0.0/token', 'SOURCE_FORBIDDEN'],
    ['ftp://example.com/token', 'SOURCE_FORBIDDEN'],
    ['file:///etc/passwd', 'SOURCE_FORBIDDEN'],
    ['/token', 'SOURCE_REFUSED'],
    ['', 'SOURCE_REFUSED'],
  ] as const)('at %j is refused', (realm, code) =>
    guarded({ realm }, async (registry) => {
      await failing(fetched(registry, me), code)
      expect(registry.requests).toHaveLength(1)
    }),
  )

  test('that redirects to another origin takes no credentials there', () =>
    guarded(null, async (registry) => {
      await using other = await startNeighbour()
      const there = other.serve('/token', json({ token: 'secret' }))
      registry.demandToken({ issue: redirectTo(there) })
      await fetched(registry, me)
      expect(other.requests).toHaveLength(1)
      expect(JSON.stringify(other.requests[0]?.headers)).not.toContain('authorization')
    }))

  test('with a name and password in it is asked without them', () =>
    guarded({}, async (registry) => {
      registry.demandToken({ realm: registry.neighbour.url('/token').replace('//', '//a:b@') })
      await fetched(registry)
      expect(shown(registry)[1]).toEqual(['/token', null])
    }))
})

describe('an identity token', () => {
  test('is changed for a token by a form', () =>
    guarded({ issue: json({ access_token: 'secret', refresh_token: 'new' }) }, async (registry) => {
      await fetched(registry, configured(registry, { identitytoken: 'id&entity' }))
      const [, issue] = registry.requests
      expect(issue).toMatchObject({ method: 'POST', path: '/token' })
      expect(issue?.headers['content-type']).toBe('application/x-www-form-urlencoded')
      expect(Object.fromEntries(new URLSearchParams(issue?.form ?? ''))).toEqual({
        grant_type: 'refresh_token',
        refresh_token: 'id&entity',
        client_id: 'slipway',
        scope: 'repository:team/image:pull',
        service: 'hostile, registry',
      })
      expect(shown(registry)[2]).toEqual([manifestPath, 'Bearer secret'])
    }))

  test.each([404, 405])('is shown as a password where there is no OAuth (%i)', (status) =>
    guarded(
      { issue: (_, { method }) => (method === 'POST' ? { status } : json({ token: 'secret' })) },
      async (registry) => {
        await fetched(registry, { section: login('<token>', 'identity') })
        expect(shown(registry)[2]).toEqual(['/token', basic('<token>', 'identity')])
      },
    ),
  )

  test('is not carried on by a redirect', () =>
    guarded(null, async (registry) => {
      await using other = await startNeighbour()
      registry.demandToken({ issue: { ...redirectTo(other.url('/token')), status: 307 } })
      const pull = configured(registry, { identitytoken: 'identity' })
      await failing(fetched(registry, pull), 'SOURCE_REFUSED')
      expect(other.connections).toBe(0)
    }))

  test('that is wrong is refused', () =>
    guarded({ issue: { status: 401 } }, async (registry) => {
      const pull = configured(registry, { identitytoken: 'identity' })
      const { message } = await failing(fetched(registry, pull), 'SOURCE_REFUSED')
      expect(message).toContain('does not take the credentials')
      expect(message).not.toContain('identity')
    }))
})

describe('a registry token', () => {
  test('is shown as it is', () =>
    guarded({}, async (registry) => {
      await fetched(registry, configured(registry, { registrytoken: 'secret' }))
      expect(shown(registry)).toEqual([
        [manifestPath, null],
        [manifestPath, 'Bearer secret'],
      ])
    }))
})

describe('a name and a password', () => {
  test('are shown to a registry that asks for them', () =>
    guarded(null, async (registry) => {
      registry.demandPassword(basic('me', 'pass:word'))
      await fetched(registry, me)
      expect(shown(registry)).toEqual([
        [manifestPath, null],
        [manifestPath, basic('me', 'pass:word')],
      ])
    }))

  test('that are wrong are refused, and are in no message', () =>
    guarded(null, async (registry) => {
      registry.demandPassword('Basic other')
      const { message } = await failing(fetched(registry, me), 'SOURCE_REFUSED')
      expect(message).toContain('does not take the credentials')
      expect(message).not.toMatch(/pass|word/)
      expect(registry.requests).toHaveLength(2)
    }))

  test('that are missing are asked for', () =>
    guarded(null, async (registry) => {
      registry.demandPassword('Basic other')
      const { message } = await failing(fetched(registry), 'SOURCE_REFUSED')
      expect(message).toBe(
        `the registry asks for credentials for ${registry.host}/team/image; check the name, or give auth`,
      )
      expect(registry.requests).toHaveLength(1)
    }))

  test.each(['', 'Negotiate', 'Digest realm="a", nonce="b"', '"'])(
    'are not shown to one that asks in another way: %j',
    (challenge) =>
      guarded(null, async (registry) => {
        const headers = { 'www-authenticate': challenge }
        registry.manifest('latest', document, () => ({ status: 401, headers }))
        const { message } = await failing(fetched(registry, me), 'SOURCE_REFUSED')
        expect(message).toContain('in a way that is not known')
      }),
  )

  test('are for a token where both ways are open', () =>
    guarded(null, async (registry) => {
      const realm = registry.neighbour.serve('/token', json({ token: 'secret' }))
      const headers = { 'www-authenticate': `Basic realm="a", Bearer realm="${realm}"` }
      registry.manifest(
        'latest',
        document,
        (honest) => (nth) => (nth === 1 ? { status: 401, headers } : honest),
      )
      await fetched(registry, me)
      expect(shown(registry)[2]).toEqual([manifestPath, 'Bearer secret'])
    }))

  test.each([403, 404])('are shown also where the registry hides what it has (%i)', (status) =>
    guarded(null, async (registry) => {
      registry.demandToken()
      registry.neighbour.serve(manifestPath, (_, { headers }) =>
        headers.authorization ? json(document) : { status },
      )
      expect((await fetched(registry, me)).digest).toBe(digest)
      expect(shown(registry)).toEqual([
        [manifestPath, null],
        ['/v2/', null],
        ['/token', basic('me', 'pass:word')],
        [manifestPath, 'Bearer secret'],
      ])
    }),
  )

  test('are not asked for by whom a redirect leads to', () =>
    guarded(null, async (registry) => {
      await using other = await startHostileRegistry()
      other.manifest('latest', document)
      other.demandToken()
      const there = other.neighbour.url(manifestPath)
      registry.manifest('latest', document, () => redirectTo(there))
      await failing(fetched(registry, me), 'SOURCE_REFUSED')
      expect(shown(other)).toEqual([[manifestPath, null]])
    }))
})
