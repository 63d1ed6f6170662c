import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { freePort } from '../bench/peers/server.ts'
import { applyAdmission } from '../support/cluster/admission.ts'
import { Api, type Asked } from '../support/cluster/api.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { classManifest } from '../support/cluster/class-api.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'

const able = needsCluster()
const held = new AsyncDisposableStack()
let cluster: Cluster
let api: Api

const group = 'virtualization.deckhouse.io'
const classes = `/apis/${group}/v1alpha2/virtualmachineclasses`
const machines = `/apis/${group}/v1alpha2/namespaces/default/virtualmachines`
const fixture = fileURLToPath(new URL('fixtures/virtualmachines.yaml', import.meta.url))
const isDefault = `virtualmachineclass.${group}/is-default-class`

/** The API server takes a configuration into use in its own time; in milliseconds. */
const adoption = { timeout: 30_000, interval: 50 }

const ofClass = `virtualmachineclasses.${group}`
const ofDefault = `default.virtualmachines.${group}`
const ofMachine = `virtualmachines.${group}`

const hostSpec = { cpu: { type: 'Host' } }
const machineSpec = { cpu: { cores: 1 }, memory: { size: '1Gi' } }
const machine = (name: string, spec: object, metadata: object = {}) => ({
  apiVersion: `${group}/v1alpha2`,
  kind: 'VirtualMachine',
  metadata: { name, ...metadata },
  spec,
})

const finalizers = ['example.org/kept']
const status = z.object({ message: z.string() })
const webhooksSchema = z.object({ webhooks: z.array(z.looseObject({})) })

/** What is sent, kept by nobody. @returns the webhook that could not be asked; null when it was taken without asking */
async function stoppedBy(path: string, asked: Asked): Promise<string | null> {
  const { status: code, body } = await api.ask(`${path}?dryRun=All`, asked)
  if (code < 300) return null
  const { message } = status.parse(body)
  const [, webhook] = /failed calling webhook "([^"]+)"/.exec(message) ?? []
  if (webhook === undefined) throw new Error(message)
  return webhook
}

const creating = (path: string, body: object) => stoppedBy(path, { method: 'POST', body })
const changing = (path: string, body: object) =>
  stoppedBy(path, { method: 'PATCH', body, type: 'application/merge-patch+json' })

async function store(path: string, ...bodies: readonly object[]): Promise<void> {
  for (const body of bodies) await api.done(path, { method: 'POST', body })
}

/** Classes and machines that were there before, one of each on its way out. */
async function haveObjects(): Promise<void> {
  const annotations = { [isDefault]: 'true' }
  await store(
    classes,
    classManifest('plain', hostSpec),
    classManifest('default', hostSpec, { annotations }),
    classManifest('leaving', hostSpec, { finalizers }),
  )
  const named = { ...machineSpec, virtualMachineClassName: 'plain' }
  await store(
    machines,
    machine('named', named),
    machine('nameless', machineSpec),
    machine('leaving', machineSpec, { finalizers }),
  )
  for (const path of [classes, machines]) await api.done(`${path}/leaving`, { method: 'DELETE' })
}

beforeAll(async () => {
  if (!able) return
  cluster = held.use(await startCluster())
  await cluster.applyCrds()
  await cluster.kubectl('apply', '-f', fixture)
  await cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', '-f', fixture)
  api = held.use(await Api.open(cluster))
  await haveObjects()
  await applyAdmission(cluster, `https://127.0.0.1:${await freePort()}`)
  await vi.waitFor(async () => {
    expect(await creating(classes, classManifest('new', hostSpec))).not.toBeNull()
    expect(await creating(machines, machine('new', machineSpec))).not.toBeNull()
    const named = { ...machineSpec, virtualMachineClassName: 'plain' }
    expect(await creating(machines, machine('new', named))).not.toBeNull()
  }, adoption)
})
afterAll(() => held.disposeAsync())

describe.skipIf(!able)('while nobody answers admission', () => {
  test.each([
    ['its spec', 'plain', { spec: { nodeSelector: { matchLabels: { group: 'blue' } } } }],
    ['its policies', 'plain', { spec: { sizingPolicies: [{ cores: { min: 1, max: 4 } }] } }],
    ['that it is the default', 'plain', { metadata: { annotations: { [isDefault]: 'true' } } }],
    ['what its annotation says', 'default', { metadata: { annotations: { [isDefault]: 'yes' } } }],
    ['that it no longer is', 'default', { metadata: { annotations: null } }],
  ])('a class cannot be changed: %s', async (...[, name, body]) => {
    expect(await changing(`${classes}/${name}`, body)).toBe(ofClass)
  })

  test.each([
    ['labels', 'plain', { metadata: { labels: { group: 'blue' } } }],
    ['labels of the default', 'default', { metadata: { labels: { group: 'blue' } } }],
    ['finalizers', 'plain', { metadata: { finalizers } }],
    ['another annotation', 'plain', { metadata: { annotations: { note: 'yes' } } }],
    ['its spec, on its way out', 'leaving', { spec: { nodeSelector: { matchLabels: {} } } }],
    ['finalizers, on its way out', 'leaving', { metadata: { finalizers: null } }],
  ])('a class can be changed: %s', async (...[, name, body]) => {
    expect(await changing(`${classes}/${name}`, body)).toBeNull()
  })

  const named = { virtualMachineClassName: 'plain', ...machineSpec }
  test.each([
    ['with a class', named, ofMachine],
    ['without a class', machineSpec, ofDefault],
    ['with a class without a name', { ...named, virtualMachineClassName: '' }, ofDefault],
  ])('a machine %s cannot be created', async (...[, spec, webhook]) => {
    expect(await creating(machines, machine('new', spec))).toBe(webhook)
  })

  test.each([
    ['its class', 'named', { virtualMachineClassName: 'default' }, ofMachine],
    ['its cores', 'named', { cpu: { cores: 2 } }, ofMachine],
    ['its core fraction', 'named', { cpu: { coreFraction: '10%' } }, ofMachine],
    ['its memory', 'named', { memory: { size: '2Gi' } }, ofMachine],
    ['that it has no class', 'named', { virtualMachineClassName: null }, ofDefault],
    ['its first class', 'nameless', { virtualMachineClassName: 'plain' }, ofMachine],
    ['its cores without a class', 'nameless', { cpu: { cores: 2 } }, ofDefault],
  ])('a machine cannot be changed: %s', async (...[, name, spec, webhook]) => {
    expect(await changing(`${machines}/${name}`, { spec })).toBe(webhook)
  })

  test.each([
    ['labels', 'named', { metadata: { labels: { group: 'blue' } } }],
    ['labels without a class', 'nameless', { metadata: { labels: { group: 'blue' } } }],
    ['finalizers', 'named', { metadata: { finalizers } }],
    ['whether it runs', 'named', { spec: { runPolicy: 'AlwaysOff' } }],
    ['whether it runs without a class', 'nameless', { spec: { runPolicy: 'AlwaysOff' } }],
    ['its size, on its way out', 'leaving', { spec: { cpu: { cores: 2 } } }],
    ['finalizers, on its way out', 'leaving', { metadata: { finalizers: null } }],
  ])('a machine can be changed: %s', async (...[, name, body]) => {
    expect(await changing(`${machines}/${name}`, body)).toBeNull()
  })

  test.each([
    ['a class', `${classes}/plain`],
    ['a machine', `${machines}/named`],
  ])('the status of %s can be written, and it can be deleted', async (...[, path]) => {
    expect(await changing(`${path}/status`, { status: { phase: 'Ready' } })).toBeNull()
    expect(await stoppedBy(path, { method: 'DELETE' })).toBeNull()
  })

  test('a configuration that is applied again keeps whom the API server trusts', async () => {
    const where = ['validatingwebhookconfiguration', 'slipway']
    const caBundle = readFileSync(cluster.ca).toString('base64')
    const patch = [{ op: 'add', path: '/webhooks/1/clientConfig/caBundle', value: caBundle }]
    await cluster.kubectl('patch', ...where, '--type=json', '-p', JSON.stringify(patch))
    await applyAdmission(cluster, `https://127.0.0.1:${await freePort()}`)
    expect(await cluster.read(...where)).toMatchObject({
      webhooks: [{}, { clientConfig: { caBundle } }],
    })
  })

  test('everything is taken as it is where the failure policy is Ignore', async () => {
    for (const kind of ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration']) {
      const { webhooks } = webhooksSchema.parse(await cluster.read(kind, 'slipway'))
      const patch = webhooks.map((...[, at]) => ({
        op: 'replace',
        path: `/webhooks/${at}/failurePolicy`,
        value: 'Ignore',
      }))
      await cluster.kubectl('patch', kind, 'slipway', '--type=json', '-p', JSON.stringify(patch))
    }
    await vi.waitFor(async () => {
      expect(await creating(classes, classManifest('new', hostSpec))).toBeNull()
      expect(await creating(machines, machine('new', machineSpec))).toBeNull()
    }, adoption)
  })
})
