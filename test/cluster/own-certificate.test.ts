import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { Connection } from '../../src/kube/connection.ts'
import { OwnCertificate } from '../../src/sync/webhook/own-certificate.ts'
import type { KeyPair } from '../../src/tls/pair.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { handshake } from '../support/handshake.ts'
import { needs } from '../support/programs.ts'

const able = [needsCluster(), needs('openssl', 'apt-get install openssl')].every(Boolean)
const year = 365 * 86_400_000
const kinds = ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations']
const until = (holds: () => Promise<void>) => vi.waitFor(holds, { timeout: 60_000, interval: 50 })

const configurationSchema = z.object({
  webhooks: z.array(
    z.looseObject({ clientConfig: z.object({ caBundle: z.string().default('') }) }),
  ),
})
const secretSchema = z.object({ type: z.string(), data: z.record(z.string(), z.string()) })

/** About what no cluster has, so that nothing waits for an answer. */
function manifestOf(kind: string): string {
  const webhook = {
    name: 'nothing.slipway.example',
    clientConfig: { url: 'https://127.0.0.1:9443/nothing' },
    rules: [
      { apiGroups: ['no.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['no'] },
    ],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    matchConditions: [{ name: 'never', expression: 'false' }],
  }
  const apiVersion = 'admissionregistration.k8s.io/v1'
  return JSON.stringify({ apiVersion, kind, metadata: { name: 'slipway' }, webhooks: [webhook] })
}
const manifests = ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'].map(manifestOf)

describe.skipIf(!able)('a certificate of our own', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await startCluster()
  })
  afterAll(() => cluster?.[Symbol.asyncDispose]())
  beforeEach(async () => {
    await cluster.kubectl('delete', 'secret', 'slipway-webhook', '--ignore-not-found')
    await cluster.apply(manifests.join('\n---\n'))
  })

  /** One process, and the certificates that it uses. */
  function start(now = () => Date.now()) {
    const pairs: KeyPair[] = []
    const stop = new AbortController()
    const api = new Connection({ kubeconfig: [cluster.kubeconfig], userAgent: 'webhook' })
    const log = pino({ level: 'silent' })
    const options = { api, namespace: 'default', log, now, random: Math.random, gatheredFor: 50 }
    const ended = new OwnCertificate(options).run((pair) => void pairs.push(pair), stop.signal)
    return {
      cert: () => pairs.at(-1)?.cert.toString() ?? null,
      pair: () => pairs.at(-1) ?? { cert: '', key: '' },
      [Symbol.asyncDispose]: async () => {
        stop.abort()
        await ended
        await api[Symbol.asyncDispose]()
      },
    }
  }

  async function bundles(): Promise<string[]> {
    const all = await Promise.all(kinds.map((kind) => cluster.read(kind, 'slipway')))
    const webhooks = all.flatMap((one) => configurationSchema.parse(one).webhooks)
    return webhooks.map(({ clientConfig }) => decoded(clientConfig.caBundle))
  }

  async function kept(key: string): Promise<string> {
    const { data } = secretSchema.parse(await cluster.read('secret', 'slipway-webhook'))
    return decoded(data[key] ?? '')
  }

  const decoded = (text: string) => Buffer.from(text, 'base64').toString()

  /** All use what is kept, and the API server trusts it. */
  async function agree(...all: { readonly cert: () => string | null }[]): Promise<string> {
    await until(async () => {
      const cert = await kept('tls.crt')
      expect(all.map((one) => one.cert())).toEqual(all.map(() => cert))
      const bundle = await kept('ca.crt')
      expect(await bundles()).toEqual([bundle, bundle])
    })
    return await kept('ca.crt')
  }

  test('is the same in all processes, and the API server takes their authority', async () => {
    await using one = start()
    await using two = start()
    await using three = start()
    const bundle = await agree(one, two, three)
    await handshake(two.pair(), bundle, '127.0.0.1')
    const { type } = secretSchema.parse(await cluster.read('secret', 'slipway-webhook'))
    expect(type).toBe('kubernetes.io/tls')
    const asked = (await cluster.audit()).filter(({ agent }) => agent === 'webhook')
    const made = asked.filter(({ verb, code }) => verb === 'create' && code === 201)
    expect(made).toHaveLength(1)
    // Rights on these two names are enough, for lists and watches, too.
    const named = asked.filter(({ verb }) => verb !== 'create').map(({ name }) => name)
    expect(new Set(named)).toEqual(new Set(['slipway', 'slipway-webhook']))
  })

  test('outlives another manifest, a lost authority and a lost Secret', async () => {
    await using one = start()
    await using two = start()
    const first = await agree(one, two)
    for (const manifest of manifests) {
      await cluster.apply(manifest)
      expect(await bundles()).toEqual([first, first])
    }
    await cluster.kubectl('delete', kinds[0] ?? '', 'slipway')
    await cluster.apply(manifests.join('\n---\n'))
    expect(await agree(one, two)).toBe(first)
    await cluster.kubectl('delete', 'secret', 'slipway-webhook')
    expect(await agree(one, two)).not.toContain(first)
  })

  test('is renewed under the same authority, and the authority itself with both trusted', async () => {
    let late = 0
    await using one = start(() => Date.now() + late)
    await using two = start()
    const first = await agree(one, two)
    const before = one.cert()
    const be = async (later: number) => {
      late = later
      await cluster.kubectl('label', '--overwrite', 'secret', 'slipway-webhook', `late=${late}`)
    }
    await be(0.9 * year)
    await until(async () => expect(await kept('tls.crt')).not.toBe(before))
    expect(await agree(one, two)).toBe(first)
    await be(8.5 * year)
    await until(async () => expect(await kept('ca.crt')).not.toBe(first))
    const both = await agree(one, two)
    expect(both.endsWith(first)).toBe(true)
    await handshake(two.pair(), both, '127.0.0.1')
  })
})
