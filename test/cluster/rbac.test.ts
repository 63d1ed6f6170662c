import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { freePort } from '../bench/peers/server.ts'
import { applyAdmission } from '../support/cluster/admission.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion, type Companion } from '../support/cluster/companion.ts'
import { applyRights, namespace } from '../support/cluster/deployment.ts'
import { covers, rightsIn } from '../support/cluster/rights.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { needs } from '../support/programs.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const able = [needsCluster(), needs('openssl', 'apt-get install openssl')].every(Boolean)

const group = 'virtualization.deckhouse.io'
const machineDefinition = fileURLToPath(new URL('fixtures/virtualmachines.yaml', import.meta.url))
const vm = {
  apiVersion: `${group}/v1alpha2`,
  kind: 'VirtualMachine',
  metadata: { name: 'vm', namespace: 'default' },
  spec: { virtualMachineClassName: 'host', cpu: { cores: 1 }, memory: { size: '1Gi' } },
}
const inService = 'slipway-controller-in-service'
const userOf = (account: string) => `system:serviceaccount:${namespace}:${account}`

describe.skipIf(!able)('the rights in deploy/rbac', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let service: Service
  let sources: Neighbour
  let first: Companion

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    await applyRights(cluster)
    const KUBECONFIG = await kubeconfigOf('slipway')
    service = held.use(await startService({ SLIPWAY_AUTH: 'kubernetes', KUBECONFIG }))
    sources = held.use(await startNeighbour())
    const port = await freePort()
    await applyAdmission(cluster, at(port))
    first = held.use(await startAsDeployed(port))
  })
  afterAll(() => held.disposeAsync())

  const kubeconfigOf = async (account: string) =>
    cluster.kubeconfigFor(await cluster.serviceAccountToken(namespace, account))
  const tokenForService = () =>
    cluster.serviceAccountToken(namespace, 'slipway-controller', ['slipway'])

  const at = (port: number) => `https://127.0.0.1:${port}`

  /** @param port where it answers admission */
  async function startAsDeployed(port: number): Promise<Companion> {
    return await startCompanion({
      kubeconfig: await kubeconfigOf('slipway-controller'),
      service: service.base,
      variables: {
        SLIPWAY_TOKEN: await tokenForService(),
        SLIPWAY_LEADER_NAMESPACE: namespace,
        SLIPWAY_WEBHOOK_LISTEN: `127.0.0.1:${port}`,
      },
    })
  }

  async function apply(name: string, dataSource: object): Promise<void> {
    await cluster.apply(
      JSON.stringify({
        apiVersion: 'virtualization.deckhouse.io/v1alpha2',
        kind: 'ClusterVirtualImage',
        metadata: { name },
        spec: { dataSource },
      }),
    )
  }

  async function reaches(name: string, phase: string): Promise<void> {
    const is = `--for=jsonpath={.status.phase}=${phase}`
    await cluster.kubectl('wait', is, `clustervirtualimage/${name}`, '--timeout=50s')
  }

  const gone = (name: string) =>
    cluster.kubectl('delete', 'clustervirtualimage', name, '--timeout=50s')

  /** Machines that name a class, in a cluster that gets to know them only now. */
  async function haveClasses(): Promise<void> {
    await cluster.kubectl('apply', '-f', machineDefinition)
    const established = '--for=condition=Established'
    await cluster.kubectl('wait', established, 'crd', `virtualmachines.${group}`, '--timeout=30s')
    await cluster.kubectl('wait', '--for=create', 'virtualmachineclass/host', '--timeout=50s')
    await cluster.apply(JSON.stringify(vm))
    const isMatched = '--for=condition=SizingPolicyMatched'
    await cluster.kubectl('wait', isMatched, 'virtualmachine/vm', '-n', 'default', '--timeout=50s')
  }

  /** As if somebody took away the certificate for admission, or its time were up. */
  async function renewCertificate(): Promise<void> {
    const secret = ['secret', 'slipway-webhook', '-n', namespace]
    const emptied = JSON.stringify({ data: { 'tls.crt': '' } })
    await cluster.kubectl('patch', ...secret, '-p', emptied)
    const isThere = async () =>
      expect(await cluster.read(...secret)).not.toHaveProperty(['data', 'tls.crt'], '')
    await vi.waitFor(isThere, { timeout: 50_000, interval: 200 })
  }

  /** What the companion does in its life: every source, failures, secrets, classes, admission, removal, and another one that takes over. */
  async function live(): Promise<void> {
    const secret = ['create', 'secret', 'generic', 'source', '-n', 'default']
    await cluster.kubectl(...secret, '--from-literal=token=of-the-source')
    const url = sources.serve('/disk.img', { bytes: disk(mebibyte) })
    const page = sources.serve('/page', {
      bytes: Buffer.from('<!doctype html><title>Login</title>'),
    })
    const secretRef = { name: 'source', namespace: 'default' }
    await apply('http', { type: 'HTTP', http: { url, secretRef } })
    await apply('page', { type: 'HTTP', http: { url: page } })
    await apply('upload', { type: 'Upload' })
    const objectRef = { kind: 'ClusterVirtualImage', name: 'http' }
    await apply('reference', { type: 'ObjectRef', objectRef })
    const imagePullSecret = { name: 'missing', namespace: 'default' }
    const containerImage = { image: 'registry.example.com/disk:1', imagePullSecret }
    await apply('pulled', { type: 'ContainerImage', containerImage })
    await reaches('http', 'Ready')
    await reaches('reference', 'Ready')
    await reaches('page', 'Failed')
    await reaches('pulled', 'Pending')
    await reaches('upload', 'WaitForUserUpload')
    const { status } = await service.rest.as(await tokenForService()).image('upload')
    await send(status.imageUploadURLs?.external ?? '', disk(mebibyte, 1))
    await reaches('upload', 'Ready')
    await haveClasses()
    await renewCertificate()
    // As if one preset came with a newer version.
    const forgotten = '[{"op": "remove", "path": "/data/host"}]'
    const record = ['configmap', 'slipway-presets', '-n', namespace]
    await cluster.kubectl('patch', ...record, '--type=json', '-p', forgotten)
    const port = await freePort()
    await using second = await startAsDeployed(port)
    await applyAdmission(cluster, at(port))
    await first.stop()
    const isKept = '--for=jsonpath={.data.host}'
    await cluster.kubectl('wait', isKept, ...record, '--timeout=50s')
    for (const name of ['reference', 'http', 'page', 'pulled', 'upload']) await gone(name)
    await second.stop()
  }

  test(
    'are all that the companion asks for, and none is left unused',
    { timeout: 120_000 },
    async () => {
      await live()
      const asked = (await cluster.audit()).filter(
        ({ user }) => user === userOf('slipway-controller'),
      )
      expect(asked.length).toBeGreaterThan(20)
      expect(asked.filter(({ code }) => code === 401 || code === 403)).toEqual([])
      const all = ['controller.yaml', 'webhook.yaml'].flatMap(rightsIn)
      const rights = all.filter(({ role }) => role !== inService)
      expect(asked.filter((each) => !rights.some((right) => covers(right, each)))).toEqual([])
      expect(rights.filter((right) => !asked.some((each) => covers(right, each)))).toEqual([])
    },
  )

  test('let the service do no more than to ask who may do what', async () => {
    const asked = (await cluster.audit()).filter(({ user }) => user === userOf('slipway'))
    const kinds = new Set(asked.map(({ verb, group, resource }) => `${verb} ${resource}.${group}`))
    expect([...kinds].toSorted()).toEqual([
      'create subjectaccessreviews.authorization.k8s.io',
      'create tokenreviews.authentication.k8s.io',
    ])
    expect(asked.filter(({ code }) => code !== 201)).toEqual([])
  })

  test('make the companion an editor of the service by one role alone', async () => {
    const body = { name: 'tried', dataSource: { type: 'Upload' } }
    expect((await service.rest.as(await tokenForService()).post(body)).status).toBe(201)
    await cluster.kubectl('delete', 'clusterrolebinding', inService)
    expect((await service.rest.as(await tokenForService()).post(body)).status).toBe(403)
  })

  test.each([
    ['slipway-viewer', 403],
    ['slipway-editor', 201],
    ['slipway-admin', 201],
  ])('have the service answer people with %s who create an image by %i', async (role, status) => {
    await cluster.kubectl('create', 'serviceaccount', role, '-n', 'default')
    const subject = `--serviceaccount=default:${role}`
    await cluster.kubectl('create', 'clusterrolebinding', role, `--clusterrole=${role}`, subject)
    const rest = service.rest.as(await cluster.serviceAccountToken('default', role))
    const body = { name: `made-by-${role}`, dataSource: { type: 'Upload' } }
    expect((await rest.post(body)).status).toBe(status)
    expect((await rest.list()).items.length).toBeGreaterThan(0)
  })

  test.each([
    ['slipway-viewer', ['list']],
    ['slipway-editor', ['list']],
    ['slipway-admin', ['list', 'create', 'patch', 'delete']],
  ])('let people with %s do no more with classes than %j', async (role, allowed) => {
    const binding = [`classes-${role}`, `--clusterrole=${role}`, `--user=${role}`]
    await cluster.kubectl('create', 'clusterrolebinding', ...binding)
    for (const verb of ['list', 'create', 'patch', 'delete']) {
      const asked = ['auth', 'can-i', verb, 'virtualmachineclasses', `--as=${role}`]
      const { stdout } = await cluster.attemptKubectl(asked)
      expect([verb, stdout.trim()]).toEqual([verb, allowed.includes(verb) ? 'yes' : 'no'])
    }
  })
})
