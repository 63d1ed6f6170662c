import { setImmediate as turn } from 'node:timers/promises'
import { pino } from 'pino'
import { describe, expect, test, vi } from 'vitest'
import { Outage, Refusal } from '../../../../src/errors.ts'
import { OwnCertificate } from '../../../../src/sync/webhook/own-certificate.ts'
import type { KeyPair } from '../../../../src/tls/pair.ts'
import { ClusterStandIn } from '../../../support/cluster-stand-in.ts'
import { handshake } from '../../../support/handshake.ts'

const secret = '/api/v1/namespaces/slipway/secrets/slipway-webhook'
const group = '/apis/admissionregistration.k8s.io/v1'
const validating = `${group}/validatingwebhookconfigurations/slipway`
const mutating = `${group}/mutatingwebhookconfigurations/slipway`
const service = { name: 'hook', namespace: 'slipway', path: '/validate', port: 443 }
const host = 'hook.slipway.svc'
const year = 365 * 86_400_000

/** A cluster with both configurations, as they are applied. */
function cluster(): ClusterStandIn {
  const api = new ClusterStandIn()
  const entry = (name: string) => ({ name, clientConfig: { service }, failurePolicy: 'Fail' })
  api.put(validating, { webhooks: [entry('classes'), entry('machines')] })
  api.put(mutating, { webhooks: [entry('default')] })
  return api
}

/** One process, and the pairs that it uses. */
function process(api: ClusterStandIn, now = () => Date.now()) {
  const stop = new AbortController()
  const pairs: KeyPair[] = []
  const lines: { msg: string; level: number }[] = []
  const write = (text: string) => void lines.push(JSON.parse(text))
  const log = pino({ level: 'info' }, { write })
  const options = { api, namespace: 'slipway', log, now, random: () => 0, gatheredFor: 1 }
  const certificate = new OwnCertificate(options)
  const ended = certificate.run((pair) => void pairs.push(pair), stop.signal)
  return {
    certificate,
    pairs,
    lines,
    told: (words: string) => lines.filter(({ msg }) => msg.includes(words)),
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await ended
    },
  }
}

const until = (holds: () => void) => vi.waitFor(holds, { timeout: 10_000, interval: 5 })
const hasPairs = (count: number, ...all: { readonly pairs: readonly KeyPair[] }[]) =>
  until(() => expect(all.map(({ pairs }) => pairs.length)).toEqual(all.map(() => count)))

function dataIn(api: ClusterStandIn) {
  return api.at(secret)?.['data'] as Record<string, string> | undefined
}

function keptIn(api: ClusterStandIn, key: string): string {
  const data = dataIn(api)
  return Buffer.from(data?.[key] ?? '', 'base64').toString()
}

type Entry = { readonly name: string; readonly clientConfig: { readonly caBundle?: string } }
function bundlesIn(api: ClusterStandIn): string[] {
  const all = [validating, mutating].map((path) => api.at(path)?.['webhooks'] as Entry[])
  return all.flat().map(({ clientConfig: { caBundle = '' } }) => decoded(caBundle))
}
const decoded = (text: string) => Buffer.from(text, 'base64').toString()

const verbs = (api: ClusterStandIn, verb: string, path: string) =>
  api.asked.filter((asked) => asked.verb === verb && asked.path.startsWith(path))
const secrets = '/api/v1/namespaces/slipway/secrets'

describe.concurrent('the certificate of our own', () => {
  test('is kept, trusted and used, in this order', async () => {
    const api = cluster()
    await using one = process(api)
    await hasPairs(1, one)
    expect(api.at(secret)).toMatchObject({ kind: 'Secret', type: 'kubernetes.io/tls' })
    const bundle = keptIn(api, 'ca.crt')
    expect(bundlesIn(api)).toEqual([bundle, bundle, bundle])
    const writes = api.asked.filter(({ verb }) => verb !== 'get').map(({ path }) => path)
    expect(writes).toEqual([secrets, validating, mutating])
    const [pair] = one.pairs
    expect([pair?.cert.toString(), pair?.key.toString()]).toEqual(
      ['tls.crt', 'tls.key'].map((key) => keptIn(api, key)),
    )
    await handshake(pair ?? fail(), bundle, host)
    expect(one.certificate.trouble).toBeNull()
  })

  test('leaves everything else in the configurations as it is', async () => {
    const api = cluster()
    await using one = process(api)
    await hasPairs(1, one)
    expect(api.at(validating)).toMatchObject({
      webhooks: ['classes', 'machines'].map((name) => ({
        name,
        clientConfig: { service, caBundle: expect.any(String) },
        failurePolicy: 'Fail',
      })),
    })
  })

  test('is not used before both configurations trust it', async () => {
    const api = cluster()
    const allow = api.refuse(/^merge .*mutating/, new Refusal('CLUSTER_REFUSED', 'forbidden'))
    await using one = process(api)
    await until(() => expect(one.certificate.trouble).toBe('forbidden'))
    await until(() => expect(verbs(api, 'merge', mutating).length).toBeGreaterThan(1))
    expect(one.pairs).toEqual([])
    expect(one.told('it is tried again')).toHaveLength(1)
    allow()
    await hasPairs(1, one)
    expect(one.certificate.trouble).toBeNull()
  })

  test('is good for addresses of URLs', async () => {
    const api = new ClusterStandIn()
    const urls = ['https://127.0.0.1:9443/a', 'https://[::1]:9443/b', 'https://Hook.Example./c']
    const webhooks = urls.map((url) => ({ name: url, clientConfig: { url } }))
    api.put(validating, { webhooks })
    await using one = process(api)
    await hasPairs(1, one)
    const bundle = keptIn(api, 'ca.crt')
    for (const name of ['127.0.0.1', '::1', 'hook.example']) {
      await handshake(one.pairs[0] ?? fail(), bundle, name)
    }
  })

  test('is made also where no configuration is, which is told once', async () => {
    const api = new ClusterStandIn()
    await using one = process(api)
    await hasPairs(1, one)
    const bundle = keptIn(api, 'ca.crt')
    await handshake(one.pairs[0] ?? fail(), bundle, 'slipway-webhook.slipway.svc')
    api.put(secret, { labels: 'changed' })
    await until(() => expect(verbs(api, 'get', validating).length).toBeGreaterThan(1))
    expect(one.told('does not ask the webhook')).toHaveLength(1)
    // One that comes later is seen to.
    api.put(mutating, { webhooks: [{ name: 'late', clientConfig: { service } }] })
    await hasPairs(2, one)
    expect(api.at(mutating)).toMatchObject({ webhooks: [{ clientConfig: { service } }] })
    await handshake(one.pairs[1] ?? fail(), bundle, host)
  })

  test('comes back into a configuration that has lost it, or trusts another one', async () => {
    const api = cluster()
    await using one = process(api)
    await hasPairs(1, one)
    const bundle = keptIn(api, 'ca.crt')
    for (const clientConfig of [{ service }, { service, caBundle: 'c3RyYW5nZQ==' }]) {
      api.put(mutating, { webhooks: [{ name: 'default', clientConfig }] })
      await until(() => expect(bundlesIn(api)).toEqual([bundle, bundle, bundle]))
    }
    expect(one.pairs).toHaveLength(1)
  })

  test('is left in peace when all is well', async () => {
    const api = cluster()
    await using one = process(api)
    await hasPairs(1, one)
    const writes = () => api.asked.filter(({ verb }) => verb !== 'get').length
    const before = writes()
    const looks = verbs(api, 'get', validating).length
    api.put(secret, { labels: 'changed' })
    await until(() => expect(verbs(api, 'get', validating).length).toBeGreaterThan(looks))
    await turn()
    expect([writes(), one.pairs.length]).toEqual([before, 1])
  })
})

describe.concurrent('beside somebody else who writes caBundle', () => {
  const strange = 'c3RyYW5nZQ=='
  const given = (caBundle: string) => [{ name: 'default', clientConfig: { service, caBundle } }]

  test.each(['cert-manager.io/inject-ca-from', 'service.beta.openshift.io/inject-cabundle'])(
    'a configuration with the annotation %s is left alone, which is told once',
    async (name) => {
      const api = cluster()
      const metadata = { name: 'slipway', annotations: { [name]: 'a/b' } }
      api.put(mutating, { metadata, webhooks: given(strange) })
      await using one = process(api)
      await until(() => expect(one.certificate.trouble).toContain(`for its annotation ${name}`))
      // The other one is seen to.
      await hasPairs(1, one)
      const bundle = keptIn(api, 'ca.crt')
      expect(bundlesIn(api)).toEqual([bundle, bundle, decoded(strange)])
      const looks = verbs(api, 'get', mutating).length
      await until(() => expect(verbs(api, 'get', mutating).length).toBeGreaterThan(looks))
      expect(verbs(api, 'merge', mutating)).toEqual([])
      expect(one.told('it is tried again')).toHaveLength(1)
      // Whoever heeds the annotation may take it from our own Secret.
      const caBundle = Buffer.from(bundle).toString('base64')
      api.put(mutating, { metadata, webhooks: given(caBundle) })
      await until(() => expect(one.certificate.trouble).toBeNull())
    },
  )

  test('it is told that they disagree', async () => {
    const api = cluster()
    api.onRequest = (when) => {
      const { verb, path } = api.asked.at(-1) ?? {}
      const isOurs = when === 'after' && verb === 'merge' && path === mutating
      if (isOurs) api.put(mutating, { webhooks: given(strange) })
    }
    await using one = process(api)
    await until(() => expect(verbs(api, 'merge', mutating).length).toBeGreaterThan(6))
    expect(one.told('one has to stop')).toHaveLength(1)
  })
})

describe.concurrent('of two processes', () => {
  test('that begin at once, both use the same pair', async () => {
    const api = cluster()
    await using one = process(api)
    await using two = process(api)
    await hasPairs(1, one, two)
    expect(verbs(api, 'create', secrets)).toHaveLength(2)
    expect(one.pairs[0]?.cert).toEqual(two.pairs[0]?.cert)
    expect(one.pairs[0]?.key).toEqual(two.pairs[0]?.key)
    expect([...one.told('tried again'), ...two.told('tried again')]).toEqual([])
  })

  test('both take what is renewed, with the same authority', async () => {
    const api = cluster()
    let late = 0
    await using one = process(api)
    await using two = process(api, () => Date.now() + late)
    await hasPairs(1, one, two)
    const bundle = keptIn(api, 'ca.crt')
    late = 0.9 * year
    api.put(secret, { labels: 'changed' })
    await hasPairs(2, one, two)
    expect(one.pairs[1]?.cert).toEqual(two.pairs[1]?.cert)
    expect(keptIn(api, 'ca.crt')).toBe(bundle)
  })

  test('both show what is trusted while the authority is another one', async () => {
    const api = cluster()
    let late = 0
    await using one = process(api, () => Date.now() + late)
    await using two = process(api)
    await hasPairs(1, one, two)
    const before = keptIn(api, 'ca.crt')
    late = 8.5 * year
    api.put(secret, { labels: 'changed' })
    await hasPairs(2, one, two)
    const bundle = keptIn(api, 'ca.crt')
    expect(bundle.endsWith(before)).toBe(true)
    expect(bundlesIn(api)).toEqual([bundle, bundle, bundle])
    for (const pair of [...one.pairs, ...two.pairs]) await handshake(pair, bundle, host)
  })
})

describe.concurrent('when something is wrong', () => {
  const garbage = Buffer.from('garbage').toString('base64')

  test.each([
    ['it holds garbage', { 'ca.crt': garbage, 'tls.crt': garbage, 'tls.key': garbage }],
    ['keys are missing', { 'ca.key': null, 'tls.crt': null }],
    ['it is empty', null],
  ])('with the Secret, it is replaced: %s', async (_what, data) => {
    const api = cluster()
    await using one = process(api)
    await hasPairs(1, one)
    const before = keptIn(api, 'ca.crt')
    const changed = Object.entries({ ...dataIn(api), ...data }).filter(
      ([, value]) => value !== null,
    )
    api.put(secret, { data: data && Object.fromEntries(changed) })
    await hasPairs(2, one)
    const bundle = keptIn(api, 'ca.crt')
    expect(bundle).not.toContain(before)
    expect(bundlesIn(api)).toEqual([bundle, bundle, bundle])
    await handshake(one.pairs[1] ?? fail(), bundle, host)
  })

  test('and the Secret is deleted, everything is made anew', async () => {
    const api = cluster()
    await using one = process(api)
    await hasPairs(1, one)
    const before = keptIn(api, 'ca.crt')
    api.deleteByForce('slipway-webhook', secrets)
    await hasPairs(2, one)
    expect(keptIn(api, 'ca.crt')).not.toContain(before)
    expect(bundlesIn(api)[0]).toBe(keptIn(api, 'ca.crt'))
  })

  test('and the API server is away, it is waited for, and what was used stays so', async () => {
    const api = cluster()
    const away = new Outage('CLUSTER_UNAVAILABLE', 'away')
    const back = api.refuse(/./, away)
    await using one = process(api)
    await until(() => expect(one.certificate.trouble).toBe('away'))
    await until(() => expect(verbs(api, 'get', validating).length).toBeGreaterThan(1))
    expect(one.told('it is tried again')).toHaveLength(1)
    back()
    await hasPairs(1, one)
    api.refuse(/./, away)
    api.put(validating, { webhooks: [] })
    await until(() => expect(one.certificate.trouble).toBe('away'))
    expect(one.pairs).toHaveLength(1)
  })

  test('with the clock of one process, they come to the same pair', async () => {
    const api = cluster()
    await using ahead = process(api, () => Date.now() + 20 * year)
    await using right = process(api)
    await until(() => {
      const [last] = ahead.pairs.slice(-1)
      expect(last?.cert).toBeDefined()
      expect(right.pairs.at(-1)?.cert).toEqual(last?.cert)
      expect(keptIn(api, 'tls.crt')).toBe(last?.cert.toString())
    })
    await handshake(right.pairs.at(-1) ?? fail(), keptIn(api, 'ca.crt'), host)
  })
})

function fail(): never {
  throw new Error('there is no pair')
}
