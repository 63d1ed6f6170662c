import { describe, expect, test } from 'vitest'
import { Flaw } from '../../../../src/errors.ts'
import { digestOf } from '../../../../src/image/digest.ts'
import { mediaTypes } from '../../../../src/image/media-type.ts'
import { compileRules } from '../../../../src/source/address-rules.ts'
import { lies, type HostileRegistry, type Lie } from '../../../support/hostile-registry.ts'
import { content, forever, startNeighbour, type Script } from '../../../support/http-neighbour.ts'
import { deadline, failing } from '../visits.ts'
import { besideRegistry, client, type Pull } from './pulls.ts'

const document = { schemaVersion: 2, mediaType: mediaTypes.manifest, layers: [] }
const bytes = Buffer.from(JSON.stringify(document))

const fetched = (registry: HostileRegistry, tagOrDigest = 'latest', pull: Pull = {}) =>
  client(registry.reference(), pull).manifest(tagOrDigest, deadline())

/** What comes when the registry tells this lie about its manifest. */
const lied = (lie: Lie, check: (work: ReturnType<typeof fetched>) => Promise<unknown>) =>
  besideRegistry(async (registry) => {
    registry.manifest('latest', document, lie)
    await check(fetched(registry))
  })

const headers =
  (more: Readonly<Record<string, string>>, without: readonly string[] = []): Lie =>
  (honest): Script => {
    const kept = Object.entries(honest.headers ?? {}).filter(([name]) => !without.includes(name))
    return { ...honest, headers: { ...Object.fromEntries(kept), ...more } }
  }

describe('a manifest', () => {
  test('comes by tag and by digest, as it is', () =>
    besideRegistry(async (registry) => {
      const { digest } = registry.manifest('latest', document)
      const expected = { digest, mediaType: mediaTypes.manifest, bytes }
      expect(await fetched(registry)).toEqual(expected)
      expect(await fetched(registry, digest)).toEqual(expected)
      const [first] = registry.requestsFor('latest')
      expect(first?.path).toBe('/v2/team/image/manifests/latest')
      expect(first?.headers['accept-encoding']).toBe('identity')
      expect(first?.headers['user-agent']).toBe('slipway/test')
      expect(first?.headers.accept?.split(', ')).toEqual([
        'application/vnd.oci.image.manifest.v1+json',
        'application/vnd.docker.distribution.manifest.v2+json',
        'application/vnd.oci.image.index.v1+json',
        'application/vnd.docker.distribution.manifest.list.v2+json',
        'application/vnd.docker.distribution.manifest.v1+prettyjws',
        'application/vnd.docker.distribution.manifest.v1+json',
      ])
    }))

  test('comes by a digest of sha512', () =>
    besideRegistry(async (registry) => {
      const digest = digestOf(bytes, 'sha512')
      registry.manifest(digest, document)
      expect((await fetched(registry, digest)).digest).toBe(digest)
    }))

  test.each([
    ['Application/VND.oci.image.index.v1+JSON; charset=utf-8', mediaTypes.index],
    ['application/json', mediaTypes.manifest],
    ['text/plain; charset=utf-8', mediaTypes.manifest],
    ['application/octet-stream', mediaTypes.manifest],
    ['', mediaTypes.manifest],
  ])('under the Content-Type "%s" is a %s', (type, mediaType) =>
    lied(headers({ 'content-type': type }), async (work) => {
      expect((await work).mediaType).toBe(mediaType)
    }),
  )

  test('without any type is for its reader to judge', () =>
    besideRegistry(async (registry) => {
      registry.manifest('latest', Buffer.from('no JSON'), headers({}, ['content-type']))
      expect(await fetched(registry)).toMatchObject({ mediaType: '' })
    }))

  test('needs no Docker-Content-Digest', () =>
    lied(headers({}, ['docker-content-digest']), async (work) => {
      expect((await work).digest).toBe(digestOf(bytes))
    }))

  test('of 4 MiB is taken, and not a byte more', () =>
    besideRegistry(async (registry) => {
      const most = 4 * 1024 * 1024
      registry.manifest('most', content(most))
      registry.manifest('more', content(most + 1))
      expect((await fetched(registry, 'most')).bytes).toHaveLength(most)
      const { message } = await failing(fetched(registry, 'more'), 'INVALID_OCI')
      expect(message).toContain('more than the 4194304 bytes')
    }))

  test('that never ends is not read to its end', () =>
    lied(lies.endless, async (work) => {
      expect(await failing(work, 'INVALID_OCI')).toBeInstanceOf(Flaw)
    }))

  test('that was tampered with is told by its digest', () =>
    besideRegistry(async (registry) => {
      const { digest } = registry.manifest('latest', document, lies.otherBytes)
      const found = digestOf(Buffer.from(bytes.map((byte) => byte ^ 1)))
      for (const name of ['latest', digest]) {
        const { message } = await failing(fetched(registry, name), 'INVALID_OCI')
        expect(message).toContain(`has the digest ${found}, expected ${digest}`)
      }
    }))

  test('with a digest that is none is told', () =>
    lied(headers({ 'docker-content-digest': 'md5:abc' }), async (work) => {
      expect((await failing(work, 'INVALID_OCI')).message).toContain('"md5:abc"')
    }))

  test('in a content coding is refused', () =>
    lied(headers({ 'content-encoding': 'gzip' }), (work) => failing(work, 'SOURCE_REFUSED')))

  test('that breaks off is an outage', () =>
    lied(lies.cutAlways(10), async (work) => {
      const { message } = await failing(work, 'SOURCE_UNAVAILABLE')
      expect(message).toBe(`the source ended after 10 of ${bytes.length} bytes`)
    }))

  test('that takes too long in all is an outage', () =>
    besideRegistry(async (registry) => {
      const slow = { at: 5, until: forever }
      registry.manifest('latest', document, (honest) => ({ ...honest, pause: slow }))
      const work = fetched(registry, 'latest', { options: { documentWithin: 50 } })
      const { message } = await failing(work, 'SOURCE_UNAVAILABLE')
      expect(message).toContain('no whole answer came within 0.05 s')
    }))

  test('is given up with the reason of an abort', () =>
    besideRegistry(async (registry) => {
      const reason = new Error('enough')
      const aborter = new AbortController()
      registry.manifest('latest', document, (honest) => () => {
        aborter.abort(reason)
        return { ...honest, pause: { at: 'head', until: forever } }
      })
      const work = client(registry.reference()).manifest('latest', aborter.signal)
      await expect(work).rejects.toBe(reason)
    }))
})

describe('an image', () => {
  test('that is not there is refused in words of its own', () =>
    besideRegistry(async (registry) => {
      const { message } = await failing(fetched(registry, 'gone'), 'SOURCE_REFUSED')
      expect(message).toBe(
        `the registry has no such image as ${registry.host}/team/image:gone; check repository and tag`,
      )
      const digest = digestOf(Buffer.from('gone'))
      const byDigest = await failing(fetched(registry, digest), 'SOURCE_REFUSED')
      expect(byDigest.message).toContain(`team/image@${digest};`)
    }))

  test.each([400, 403, 405, 410, 451, 204, 206])('answered with %i is refused', (status) =>
    lied(
      (honest) => ({ ...honest, status }),
      async (work) => {
        const { message } = await failing(work, 'SOURCE_REFUSED')
        expect(message).toContain(`answered ${status}`)
      },
    ),
  )

  test.each([408, 429, 500, 502, 503])('answered with %i may be had later', (status) =>
    lied(
      () => ({ status, headers: { 'retry-after': '7' } }),
      async (work) => {
        expect((await failing(work, 'SOURCE_UNAVAILABLE')).retryAfter).toBe(7000)
      },
    ),
  )
})

describe('a manifest behind a redirect', () => {
  test('is followed', () =>
    besideRegistry(async (registry) => {
      await using other = await startNeighbour()
      const type = { 'content-type': mediaTypes.manifest }
      const url = other.serve('/mirror', { bytes, headers: type })
      registry.manifest('latest', document, lies.redirect(url))
      expect((await fetched(registry)).bytes).toEqual(bytes)
    }))

  test.each(['http://169.254.169.254/latest', 'http://[::ffff:169.254.169.254]/', 'http://0/'])(
    'to %s is forbidden',
    (location) => lied(lies.redirect(location), (work) => failing(work, 'SOURCE_FORBIDDEN')),
  )

  test('that is a loop ends', () =>
    besideRegistry(async (registry) => {
      registry.manifest('latest', document, lies.redirect('latest'))
      await failing(fetched(registry), 'SOURCE_REFUSED')
      expect(registry.requestsFor('latest')).toHaveLength(11)
    }))
})

describe('a registry', () => {
  test.each(['169.254.169.254/a', '0.0.0.0:5000/a', '[::1]/a', 'db.internal/a'])(
    'at %s is forbidden before anything is opened',
    (image) => {
      const rules = compileRules({ deny: ['*.internal'], allow: [] })
      expect(() => client(image, { options: { rules } })).toThrow(
        expect.objectContaining({ code: 'SOURCE_FORBIDDEN' }),
      )
    },
  )

  test('whose name resolves to a forbidden address is forbidden', async () => {
    const lookup = async () => [{ address: '169.254.169.254' }]
    const registry = client('r.example.com/a', { options: { lookup } })
    const { message } = await failing(registry.manifest('1', deadline()), 'SOURCE_FORBIDDEN')
    expect(message).toContain('r.example.com at 169.254.169.254')
  })

  test('docker.io is at registry-1.docker.io', async () => {
    const asked: string[] = []
    const lookup = async (host: string) => {
      asked.push(host)
      return [{ address: '169.254.169.254' }]
    }
    const registry = client('ubuntu', { options: { lookup } })
    await failing(registry.manifest('latest', deadline()), 'SOURCE_FORBIDDEN')
    expect(asked).toEqual(['registry-1.docker.io'])
  })
})
