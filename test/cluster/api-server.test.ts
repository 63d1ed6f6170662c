import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { needs } from '../support/programs.ts'

const able = [needsCluster(), needs('openssl', 'apt-get install openssl')].every(Boolean)

let cluster: Cluster

beforeAll(async () => {
  if (able) cluster = await startCluster()
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

describe.skipIf(!able)('the API server of the suite', () => {
  test('takes a namespace from kubectl, and has it after a restart', async () => {
    await cluster.kubectl('create', 'namespace', 'slipway')
    await cluster.stopApiServer()
    const { code } = await cluster.attemptKubectl(['get', 'namespace', 'slipway'])
    expect(code).not.toBe(0)
    await cluster.startApiServer()
    expect(await cluster.read('namespace', 'slipway')).toMatchObject({
      metadata: { name: 'slipway' },
    })
  })

  test('lets a service account do what its role says, and nothing else', async () => {
    await cluster.apply(`
      apiVersion: v1
      kind: ServiceAccount
      metadata: { name: reader, namespace: default }
    `)
    await cluster.kubectl('create', 'clusterrole', 'reader', '--verb=list', '--resource=namespaces')
    const subject = '--serviceaccount=default:reader'
    await cluster.kubectl('create', 'clusterrolebinding', 'reader', '--clusterrole=reader', subject)
    const token = await cluster.serviceAccountToken('default', 'reader')
    const kubeconfig = await cluster.kubeconfigFor(token)
    const allowed = await cluster.attemptKubectl(['get', 'namespaces'], { kubeconfig })
    expect(allowed).toMatchObject({ code: 0, stdout: expect.stringContaining('kube-system') })
    const refused = await cluster.attemptKubectl(['get', 'secrets'], { kubeconfig })
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'User "system:serviceaccount:default:reader" cannot list resource "secrets"',
      ),
    })
  })

  test('writes down who asked what', async () => {
    await cluster.kubectl('create', 'configmap', 'settings', '-n', 'default')
    const asked = await cluster.audit()
    expect(asked).toContainEqual(
      expect.objectContaining({
        user: 'admin',
        verb: 'create',
        group: '',
        resource: 'configmaps',
        namespace: 'default',
        name: 'settings',
        code: 201,
      }),
    )
  })
})
