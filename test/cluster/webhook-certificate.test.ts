import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../bench/peers/server.ts'
import { applyAdmission, bundlesIn, shownAt } from '../support/cluster/admission.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { Companion, startCompanion } from '../support/cluster/companion.ts'
import { applyRights, deploy, namespace } from '../support/cluster/deployment.ts'
import { machineClass } from '../support/machine-classes.ts'

const patience = { timeout: 60_000, interval: 100 }
/** Nobody has to be there: images are not what this is about. */
const noService = 'http://127.0.0.1:9'
const secret = ['secret', 'slipway-webhook', '-n', 'default']

describe.skipIf(!needsCluster())("the webhook's own certificate", () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let ports: readonly number[]
  let companions: readonly Companion[]

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    await cluster.applyCrds()
    ports = [await freePort(), await freePort()]
    await applyAdmission(cluster, `https://127.0.0.1:${ports[0]}`)
    companions = await Promise.all(ports.map((port) => start(port)))
  })
  afterAll(() => held.disposeAsync())

  async function start(port: number): Promise<Companion> {
    const variables = {
      SLIPWAY_LEADER_NAMESPACE: 'default',
      SLIPWAY_WEBHOOK_LISTEN: `127.0.0.1:${port}`,
    }
    const { kubeconfig } = cluster
    return held.use(await startCompanion({ kubeconfig, service: noService, variables }))
  }

  async function kept(key: string): Promise<string> {
    const path = `jsonpath={.data.${key.replace('.', '\\.')}}`
    const coded = await cluster.kubectl('get', ...secret, '-o', path)
    return Buffer.from(coded, 'base64').toString()
  }

  /** What all processes show to whoever trusts the one bundle that all webhooks have. */
  async function shown() {
    const [bundle = '', ...others] = await bundlesIn(cluster)
    expect(others).toEqual([bundle, bundle])
    const [first, second] = await Promise.all(ports.map((port) => shownAt(port, bundle)))
    expect(second?.fingerprint256).toBe(first?.fingerprint256)
    return { bundle, print: first?.fingerprint256, names: first?.subjectAltName }
  }

  async function takesClasses(): Promise<void> {
    const input = JSON.stringify(machineClass(undefined, 'x'))
    const args = ['apply', '--dry-run=server', '-f', '-']
    await expect
      .poll(async () => await cluster.attemptKubectl(args, { input }), patience)
      .toMatchObject({ code: 0 })
  }

  const patched = async (kind: string, body: object) =>
    await cluster.kubectl('patch', kind, 'slipway', '--type=json', '-p', JSON.stringify(body))

  test('is the same of two processes that began at once', async () => {
    const { bundle, print, names } = await shown()
    expect(await kept('ca.crt')).toBe(bundle)
    expect(names).toBe('IP Address:127.0.0.1')
    expect(await kept('tls.crt')).toContain('BEGIN CERTIFICATE')
    await takesClasses()
    await companions[1]?.stop()
    await companions[1]?.start()
    expect(await shown()).toEqual({ bundle, print, names })
    const type = await cluster.kubectl('get', ...secret, '-o', 'jsonpath={.type}')
    expect(type).toBe('kubernetes.io/tls')
  })

  test('is trusted again when somebody takes that away', async () => {
    const { bundle, print } = await shown()
    const removed = [{ op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }]
    await patched('validatingwebhookconfiguration', removed)
    await expect.poll(() => bundlesIn(cluster), patience).toEqual([bundle, bundle, bundle])
    const value = (await readFile(cluster.ca)).toString('base64')
    const another = [{ op: 'replace', path: '/webhooks/1/clientConfig/caBundle', value }]
    await patched('validatingwebhookconfiguration', another)
    await expect.poll(() => bundlesIn(cluster), patience).toEqual([bundle, bundle, bundle])
    await applyAdmission(cluster, `https://127.0.0.1:${ports[0]}`)
    expect(await bundlesIn(cluster), 'after an upgrade').toEqual([bundle, bundle, bundle])
    await cluster.kubectl('delete', 'mutatingwebhookconfiguration', 'slipway')
    await applyAdmission(cluster, `https://127.0.0.1:${ports[0]}`)
    await expect.poll(() => bundlesIn(cluster), patience).toEqual([bundle, bundle, bundle])
    expect((await shown()).print).toBe(print)
    await takesClasses()
  })

  test('is made anew when its Secret is deleted', async () => {
    const before = await shown()
    await cluster.kubectl('delete', ...secret)
    await expect.poll(async () => (await shown()).print, patience).not.toBe(before.print)
    const after = await shown()
    expect(after.bundle).not.toBe(before.bundle)
    expect(await kept('ca.crt')).toBe(after.bundle)
    await takesClasses()
  })

  test('is made anew by the same authority when its key is not its own', async () => {
    const before = await shown()
    const data = { 'tls.key': Buffer.from('none').toString('base64') }
    const body = JSON.stringify({ data })
    await cluster.kubectl('patch', ...secret, '--type=merge', '-p', body)
    await expect.poll(async () => (await shown()).print, patience).not.toBe(before.print)
    expect((await shown()).bundle).toBe(before.bundle)
  })

  test('has the names that the API server calls', async () => {
    const { bundle } = await shown()
    const url = `https://localhost:${ports[1]}/default-virtualmachines`
    await patched('mutatingwebhookconfiguration', [
      { op: 'replace', path: '/webhooks/0/clientConfig/url', value: url },
    ])
    await expect
      .poll(async () => (await shown()).names, patience)
      .toBe('IP Address:127.0.0.1, DNS:localhost')
    expect((await shown()).bundle).toBe(bundle)
    await takesClasses()
  })

  test('is waited for where rights are missing, and that is told', async () => {
    for (const each of companions) await each.stop()
    await applyRights(cluster)
    const role = ['role', 'slipway-controller-webhook', '-n', namespace]
    await cluster.kubectl('delete', ...role)
    const token = await cluster.serviceAccountToken(namespace, 'slipway-controller')
    const variables = {
      SLIPWAY_LEADER_NAMESPACE: namespace,
      SLIPWAY_WEBHOOK_LISTEN: `127.0.0.1:${ports[0]}`,
    }
    const kubeconfig = await cluster.kubeconfigFor(token)
    const options = { kubeconfig, service: noService, variables }
    await using companion = new Companion(await freePort(), options)
    companion.launch()
    await expect
      .poll(() => companion.read('/readyz'), patience)
      .toMatch(
        /^the webhook has no certificate yet\nthe certificate of the webhook: .*secrets is forbidden: User ".*" cannot create resource "secrets" .*\n/,
      )
    await cluster.kubectl('apply', '--server-side', '-k', join(deploy, 'rbac'))
    await expect.poll(() => companion.read('/readyz'), patience).toMatch(/^ok\nthis process /)
    await takesClasses()
  })
})
