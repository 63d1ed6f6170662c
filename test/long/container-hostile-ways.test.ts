import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import { basic } from '../support/callers.ts'
import { mebibyte } from '../support/disks.ts'
import {
  always,
  bytes,
  demanding,
  document,
  image,
  issuing,
  layer,
  withLayer,
  withManifest,
} from '../support/hostile-plays.ts'
import { json, lies, redirectTo } from '../support/hostile-registry.ts'
import {
  expectDisk,
  expectFailed,
  identity,
  login,
  source,
  startTold,
  token,
  type Row,
  type Stage,
} from '../support/hostile-stage.ts'
import { needs } from '../support/programs.ts'
import { problemOf } from '../support/rest.ts'
import type { Service } from '../support/service.ts'
import { certify } from '../unit/source/certificates.ts'

let service: Service
const resources = new AsyncDisposableStack()
beforeAll(async () => {
  service = resources.use(await startTold({ SLIPWAY_SOURCE_DENY: 'localhost' }))
})
afterAll(() => resources.disposeAsync())

const metadata = 'http://169.254.169.254/latest/meta-data/'

const useless = (found: string) =>
  new RegExp(`^the registry sends for a token to http:.+/token, which answered with ${found}; ask`)

const untaken = /^the registry does not take the credentials for .+\/team\/image; check them$/

const tokens: readonly Row[] = [
  {
    what: 'a token that is not taken, for ever (401)',
    play: issuing(json({ token: 'another' })),
    code: 'SOURCE_REFUSED',
    message: untaken,
  },
  {
    what: 'no token for these credentials (401)',
    play: issuing({ status: 401 }),
    code: 'SOURCE_REFUSED',
    message: untaken,
  },
  {
    what: 'no token without credentials (401)',
    play: (stage) => ({ image: issuing({ status: 401 })(stage) }),
    code: 'SOURCE_REFUSED',
    message: /^the registry asks for credentials for .+; check the name, or give auth$/,
  },
  {
    what: 'nothing for this password (401)',
    play: (stage) => {
      stage.registry.demandPassword(basic('another', 'password'))
      return image(stage)
    },
    code: 'SOURCE_REFUSED',
    message: untaken,
  },
  {
    what: 'an HTML page for a token',
    play: issuing({ bytes: Buffer.from(`<html>${token}</html>`) }),
    code: 'SOURCE_REFUSED',
    message: useless('no JSON'),
  },
  {
    what: 'JSON without a token',
    play: issuing(json({ message: 'hello', expires_in: 300 })),
    code: 'SOURCE_REFUSED',
    message: useless('no token'),
  },
  {
    what: 'a token that would end its header',
    play: issuing(json({ token: `${token}\r\nhost: elsewhere` })),
    code: 'SOURCE_REFUSED',
    message: useless('no token'),
  },
  {
    what: 'a token of more than 1 MiB',
    play: issuing(json({ token: 'x'.repeat(mebibyte) })),
    code: 'SOURCE_REFUSED',
    message: useless('more than 1048576 bytes'),
  },
  {
    what: 'a token that never ends',
    play: issuing(lies.endless({})),
    code: 'SOURCE_REFUSED',
    message: useless('more than 1048576 bytes'),
  },
  {
    what: 'an error for a token, again and again (500)',
    play: issuing({ status: 500 }),
    code: 'SOURCE_UNAVAILABLE',
    message: /^the source answered 500 Internal Server Error for http:.+\/token; check/,
    again: true,
  },
]

const sentTo = (to: string) =>
  new RegExp(`^no import may go to ${to.replaceAll('.', '\\.')}: .+; an administrator can permit`)
const denied = /^no import may go to localhost: SLIPWAY_SOURCE_DENY holds localhost; /

/** The other server under a name that imports may not go to, though it listens there. */
const deniedHost = ({ elsewhere }: Stage) => elsewhere.url('/there', 'localhost')

/** An identity token goes to its realm in a form, which is for nobody else. */
function withIdentity(stage: Stage) {
  const { registry, issuer, elsewhere } = stage
  registry.demandToken({ token, issuer, issue: redirectTo(elsewhere.url('/token')) })
  const auths = { [registry.host]: { identitytoken: identity } }
  return { image: image(stage), auth: { '.dockerconfigjson': JSON.stringify({ auths }) } }
}

const ways: readonly Row[] = [
  {
    what: 'a metadata address for a realm',
    play: demanding(() => ({ realm: metadata })),
    code: 'SOURCE_FORBIDDEN',
    message: sentTo('169.254.169.254'),
  },
  {
    what: 'a realm that is denied',
    play: demanding((stage) => ({ realm: deniedHost(stage) })),
    code: 'SOURCE_FORBIDDEN',
    message: denied,
  },
  {
    what: 'a realm that sends on to a metadata address',
    play: issuing(redirectTo(metadata)),
    code: 'SOURCE_FORBIDDEN',
    message: sentTo('169.254.169.254'),
  },
  {
    what: 'a realm that is no address',
    play: demanding(() => ({ realm: '/token' })),
    code: 'SOURCE_REFUSED',
    message: /asks for a token and does not say where it is issued/,
  },
  {
    what: 'a file for a realm',
    play: demanding(() => ({ realm: 'file:///etc/passwd' })),
    code: 'SOURCE_FORBIDDEN',
    message: /sends for a token to file:, where nothing is asked for/,
  },
  {
    what: 'a realm that sends an identity token on',
    play: withIdentity,
    code: 'SOURCE_REFUSED',
    message: /^the source answered 302 Found for http:.+\/token; check the URL$/,
  },
  {
    what: 'a metadata address for a layer',
    play: withLayer(lies.redirect(metadata)),
    code: 'SOURCE_FORBIDDEN',
    message: sentTo('169.254.169.254'),
  },
  {
    what: 'a host for a layer that is denied',
    play: (stage) => withLayer(lies.redirect(deniedHost(stage)))(stage),
    code: 'SOURCE_FORBIDDEN',
    message: denied,
  },
  {
    what: 'a metadata address for a manifest',
    play: withManifest(lies.redirect(metadata)),
    code: 'SOURCE_FORBIDDEN',
    message: sentTo('169.254.169.254'),
  },
  {
    what: 'a file for a layer',
    play: withLayer(lies.redirect('file:///etc/passwd')),
    code: 'SOURCE_FORBIDDEN',
    message: /^the source redirects from .+ to file:, which is not followed; give another URL$/,
  },
  {
    what: 'a layer that is always somewhere else',
    play: withLayer(always((nth) => redirectTo(`?${nth}`))),
    code: 'SOURCE_REFUSED',
    message: /^the source redirects more than 10 times, last to http:.+; check the URL$/,
  },
  {
    what: 'a layer that is sent away and back, where it needs what it was asked with first',
    play: (stage) => {
      const { registry, elsewhere } = stage
      const blob = `http://${registry.host}/v2/team/image/blobs/${digestOf(layer)}`
      elsewhere.serve('/back', redirectTo(blob))
      return withLayer(lies.redirect(elsewhere.url('/back')))(stage)
    },
    code: 'SOURCE_REFUSED',
    message: untaken,
  },
]

describe('an import ends in Failed from a registry that gives', () => {
  test.each([...tokens, ...ways])('$what', async (row) => {
    await expectFailed(service, row)
  })
})

test.each([
  ['169.254.169.254/team/image:1', sentTo('169.254.169.254')],
  ['localhost:5000/team/image:1', denied],
])('an import from %s is refused at once', async (image, message) => {
  const answer = await service.rest.post({ name: 'forbidden', dataSource: source(image) })
  expect(answer.status).toBe(422)
  const { code, detail } = await problemOf(answer)
  expect(code).toBe('SOURCE_FORBIDDEN')
  expect(detail).toMatch(message)
})

describe('an import gets the disk, and credentials go to the registry and its realm alone,', () => {
  /** The other server has everything that is sent for there. */
  function away(stage: Stage) {
    const { elsewhere } = stage
    const bytes = Buffer.from(JSON.stringify(document(stage)))
    elsewhere.serve('/layer', { bytes: layer, ranges: 'honest' })
    elsewhere.serve('/token', json({ token }))
    elsewhere.serve('/manifest', { bytes, headers: { 'content-type': mediaTypes.manifest } })
    return elsewhere
  }

  const rows: readonly { readonly what: string; readonly play: Row['play'] }[] = [
    {
      what: 'when the layer is elsewhere',
      play: (stage) => withLayer(lies.redirect(away(stage).url('/layer')))(stage),
    },
    {
      what: 'when the layer is elsewhere and breaks',
      play: (stage) => {
        const to = away(stage)
        const cut = { at: 300_000, how: 'reset' } as const
        const honest = { bytes: layer, ranges: 'honest' } as const
        to.serve('/layer', (nth) => (nth === 1 ? { ...honest, cut } : honest))
        return withLayer(lies.redirect(to.url('/layer')))(stage)
      },
    },
    {
      what: 'when the manifest is elsewhere',
      play: (stage) => withManifest(lies.redirect(away(stage).url('/manifest')))(stage),
    },
    {
      what: 'when the realm sends on to elsewhere',
      play: (stage) => issuing(redirectTo(away(stage).url('/token')))(stage),
    },
  ]
  test.each(rows)('$what', async ({ play }) => {
    await expectDisk(service, play, bytes, ({ registry, issuer, elsewhere }) => {
      const shown = [...registry.requests, ...issuer.requests].map(
        ({ headers }) => headers.authorization,
      )
      expect(shown).toContain(basic(login.username, login.password))
      expect(shown).toContain(`Bearer ${token}`)
      expect(elsewhere.requests).not.toEqual([])
    })
  })
})

describe.skipIf(!needs('openssl', 'apt-get install openssl'))('from a registry with TLS', () => {
  type Way = {
    readonly what: string
    readonly play: (stage: Stage) => string
    readonly message: RegExp
  }
  test.each<Way>([
    {
      what: 'a layer without',
      play: (stage) => withLayer(lies.redirect(stage.elsewhere.url('/layer')))(stage),
      message: /^the source redirects from https:.+ to http:, which is not followed;/,
    },
    {
      what: 'a realm without',
      play: demanding((stage) => ({ realm: stage.elsewhere.url('/token') })),
      message: /sends for a token to http:, where nothing is asked for;/,
    },
  ])('nothing is fetched without TLS: $what', async ({ play, ...row }) => {
    const { ca, ...tls } = await certify('IP:127.0.0.1')
    const caBundle = Buffer.from(ca).toString('base64')
    const secured = (stage: Stage) => ({ image: play(stage), auth: login, caBundle })
    await expectFailed(service, { ...row, play: secured, code: 'SOURCE_FORBIDDEN' }, { tls })
  })
})
