import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../bench/peers/server.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion } from '../support/cluster/companion.ts'
import {
  applyRights,
  environments,
  kustomized,
  namespace,
  objectsOf,
} from '../support/cluster/deployment.ts'
import { hostOf } from '../support/clients.ts'
import { needs } from '../support/programs.ts'
import { startService, type Variables } from '../support/service.ts'
import { certify } from '../unit/source/certificates.ts'

const able = [needsCluster(), needs('openssl', 'apt-get install openssl')].every(Boolean)

/** Folder and ports are the suite's to choose. */
const chosen = /^SLIPWAY_(DATA_DIR|LISTEN|CONTROLLER_LISTEN|WEBHOOK_LISTEN)$/

const manifest = JSON.stringify({
  apiVersion: 'virtualization.deckhouse.io/v1alpha2',
  kind: 'ClusterVirtualImage',
  metadata: { name: 'some-image' },
  spec: { dataSource: { type: 'Upload' } },
})

describe.skipIf(!able)('service and companion with the variables of their Deployments', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let files: { readonly [name in 'ca' | 'cert' | 'key' | 'token']: string }

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    await applyRights(cluster)
    const token = await tokenOf('slipway-controller', 'slipway')
    const { ca, cert, key } = await certify('IP:127.0.0.1')
    files = {
      ca: await written('ca.crt', ca),
      cert: await written('tls.crt', cert),
      key: await written('tls.key', key),
      token: await written('token', token),
    }
  })
  afterAll(() => held.disposeAsync())

  const tokenOf = (account: string, ...audiences: readonly string[]) =>
    cluster.serviceAccountToken(namespace, account, audiences)
  const kubeconfigOf = async (account: string) => cluster.kubeconfigFor(await tokenOf(account))

  async function written(name: string, text: string): Promise<string> {
    const path = join(cluster.folder, `mounted-${name}`)
    await writeFile(path, text)
    return path
  }

  /** Those of a container, with the paths and addresses of this machine where it has its own. */
  async function variablesOf(container: string, here: Variables): Promise<Variables> {
    const yaml = await kustomized(join(cluster.folder, `built-${container}`), ['tls', 'ca'])
    const env = environments(objectsOf(yaml)).get(container) ?? {}
    expect(Object.keys(env)).toEqual(expect.arrayContaining(Object.keys(here)))
    const others = Object.entries(env).filter(([name]) => !chosen.test(name))
    return { ...Object.fromEntries(others), ...here }
  }

  test('find each other over HTTPS, by the token that the kubelet would give', async () => {
    await using service = await startService({
      ...(await variablesOf('slipway', {
        SLIPWAY_TLS_CERT: files.cert,
        SLIPWAY_TLS_KEY: files.key,
        SSL_CERT_FILE: files.ca,
      })),
      KUBECONFIG: await kubeconfigOf('slipway'),
    })
    const address = `https://${hostOf(service.base)}`
    await using companion = await startCompanion({
      kubeconfig: await kubeconfigOf('slipway-controller'),
      service: address,
      variables: await variablesOf('controller', {
        SLIPWAY_URL: address,
        SLIPWAY_TOKEN_FILE: files.token,
        SLIPWAY_LEADER_NAMESPACE: namespace,
        SLIPWAY_WEBHOOK_LISTEN: `127.0.0.1:${await freePort()}`,
        SSL_CERT_FILE: files.ca,
      }),
    })
    await cluster.apply(manifest)
    const waits = '--for=jsonpath={.status.phase}=WaitForUserUpload'
    await cluster.kubectl('wait', waits, 'clustervirtualimage/some-image', '--timeout=50s')
    expect(await cluster.read('clustervirtualimage', 'some-image')).toMatchObject({
      status: {
        target: { registryURL: 'slipway.slipway.svc/cvi/some-image' },
        uploadCommand: expect.stringContaining('curl https://slipway.slipway.svc/upload/'),
      },
    })
    await cluster.kubectl('delete', 'clustervirtualimage', 'some-image', '--timeout=50s')
    await companion.stop()
  })
})
