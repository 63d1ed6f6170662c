import { existsSync, readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { load } from 'js-yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readSettings } from '../../src/env.ts'
import { allows, needsTool, tool } from '../support/clients.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import {
  built,
  charted,
  comparable,
  deploy,
  environments,
  gatewayApi,
  kustomized,
  linted,
  namespace,
  objectsOf,
} from '../support/cluster/deployment.ts'
import { needs } from '../support/programs.ts'
import { run } from '../support/shell.ts'

const able = [
  needsCluster(),
  needs('openssl', 'apt-get install openssl'),
  needsTool('helm'),
  allows(existsSync(gatewayApi), `the Gateway API is not in ${gatewayApi}`, '.ci/tools'),
].every(Boolean)

/** The same said to both: components of the kustomization, and values of the chart. */
const ways: readonly (readonly [string, readonly string[], object])[] = [
  ['a volume', [], {}],
  ['a bucket', ['s3'], bucket()],
  ['an Ingress', ['ingress'], { ingress: { enabled: true } }],
  ['a Gateway', ['gateway'], { gateway: { enabled: true } }],
  ['credentials', ['credentials'], { credentials: { secretName: 'slipway-credentials' } }],
  ['HTTPS inside', ['tls', 'ca'], inside()],
  ['a certificate of yours for admission', ['webhook-tls'], admission()],
  [
    'everything',
    ['s3', 'ingress', 'gateway', 'credentials', 'tls', 'ca', 'webhook-tls'],
    {
      ...bucket(),
      ...inside(),
      ...admission(),
      ingress: { enabled: true },
      gateway: { enabled: true },
      credentials: { secretName: 'slipway-credentials' },
    },
  ],
]

function bucket() {
  return { s3: { enabled: true, endpoint: 'https://s3.example.org', bucket: 'images' } }
}

function inside() {
  return { tls: { secretName: 'slipway-tls' }, ca: { configMapName: 'slipway-ca' } }
}

function admission() {
  return { webhook: { secretName: 'slipway-webhook-tls' } }
}

/** What the kustomization has no component for. */
const further = {
  image: { digest: `sha256:${'0'.repeat(64)}`, pullPolicy: 'Always' },
  imagePullSecrets: [{ name: 'pull' }],
  publicUrl: 'https://images.example.org',
  registryHost: 'images.example.org',
  listenAddress: '[::]',
  importConcurrency: 16,
  trustedProxies: ['10.0.0.0/8', '::1'],
  env: [{ name: 'HTTPS_PROXY', value: 'http://proxy.example.org:3128' }],
  data: { existingClaim: 'images' },
  s3: { ...bucket().s3, endpoint: '', region: 'eu-central-1', prefix: 'prod', secretName: '' },
  service: {
    ...pod(),
    serviceAccountAnnotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/slipway' },
  },
  controller: {
    ...pod(),
    replicas: 3,
    workers: 8,
    env: [{ name: 'SLIPWAY_LOG_LEVEL', value: 'debug' }],
  },
  webhook: {
    failurePolicy: 'Ignore',
    secretName: 'admission',
    caBundle: Buffer.from('of the authority').toString('base64'),
    annotations: { 'cert-manager.io/inject-ca-from': 'slipway/admission' },
  },
  ingress: { enabled: true, className: 'nginx', tlsSecretName: '' },
  networkPolicy: { defaultDeny: false, apiServerPorts: [16443], from: [{ podSelector: {} }] },
  podDisruptionBudget: { enabled: false },
  rbac: { people: false, secretNamespaces: ['default', 'kube-public'] },
}

function pod() {
  return {
    podAnnotations: { note: 'yes' },
    priorityClassName: 'system-cluster-critical',
    nodeSelector: { disk: 'fast' },
    tolerations: [{ key: 'images', operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
  }
}

const noFinalizers = JSON.stringify({ metadata: { finalizers: null } })

const monitorSchema = z.object({
  spec: z.object({
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    endpoints: z.tuple([z.object({ port: z.string() })]),
  }),
})

const webhooksSchema = z.object({ webhooks: z.array(z.looseObject({})) })

describe.skipIf(!able)('deploy', () => {
  let cluster: Cluster
  let count = 0

  beforeAll(async () => {
    cluster = await startCluster()
    await cluster.applyCrds()
    const first = [gatewayApi, join(deploy, 'base/namespace.yaml')]
    await cluster.kubectl('apply', '--server-side', ...first.flatMap((path) => ['-f', path]))
    const all = 'crd/httproutes.gateway.networking.k8s.io'
    await cluster.kubectl('wait', '--for=condition=Established', '--timeout=30s', all)
  })
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  const dryRun = ['apply', '--server-side', '--dry-run=server', '--validate=strict']

  /** Whatever the server warns of is a failure; in this namespace, pods that are not restricted are among it. */
  async function expectTaken(args: readonly string[], input = ''): Promise<void> {
    const { code, stderr } = await cluster.attemptKubectl([...dryRun, ...args], { input })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }

  const fresh = () => join(cluster.folder, `written-${(count += 1)}`)

  async function withValues(values: object): Promise<readonly string[]> {
    const path = fresh()
    await writeFile(path, JSON.stringify(values))
    return ['--values', path]
  }

  test('has objects of the cluster, which a server takes', async () => {
    const other =
      /kustomization\.yaml$|^(?:chart|nodes|prometheus)\/|^example\/values\.yaml$|^compose/
    const files = readdirSync(deploy, { recursive: true, encoding: 'utf8' }).filter(
      (path) => path.endsWith('.yaml') && !other.test(path),
    )
    expect(files.length).toBeGreaterThan(15)
    await expectTaken(files.flatMap((path) => ['-f', join(deploy, path)]))
  })

  test('would be noticed if its pods could do more', async () => {
    const whole = await built(deploy)
    const loose = whole.replaceAll(
      'allowPrivilegeEscalation: false',
      'allowPrivilegeEscalation: true',
    )
    const { stderr } = await cluster.attemptKubectl([...dryRun, '-f', '-'], { input: loose })
    expect(stderr).toContain('would violate PodSecurity "restricted:latest"')
  })

  test.each(ways)('with %s is taken, the same from both', async (...[, components, values]) => {
    const ours = await kustomized(fresh(), components)
    await expectTaken(['-f', '-'], ours)
    const chart = await charted(...(await withValues(values)))
    await expectTaken(['-f', '-'], chart)
    // helm makes no namespace that it could put its own record into.
    const isShared = ({ kind }: { kind: string }) => kind !== 'Namespace'
    expect(comparable(objectsOf(chart))).toEqual(comparable(objectsOf(ours).filter(isShared)))
  })

  test.each(ways)('with %s has settings that go together', async (...[, components]) => {
    const all = environments(objectsOf(await kustomized(fresh(), components)))
    expect([...all.keys()].toSorted()).toEqual(['controller', 'slipway'])
    for (const env of all.values()) expect(readSettings(env).problems).toBeNull()
  })

  test('has an example that says the same to both', async () => {
    const ours = await built(join(deploy, 'example'))
    await expectTaken(['-f', '-'], ours)
    const chart = await charted('--values', join(deploy, 'example/values.yaml'))
    const shared = objectsOf(ours).filter(({ kind }) => kind !== 'Namespace')
    expect(comparable(objectsOf(chart))).toEqual(comparable(shared))
    for (const env of environments(shared).values()) expect(readSettings(env).problems).toBeNull()
  })

  test('is for a volume and for a bucket as it stands', async () => {
    for (const [at, components] of [
      ['.', []],
      ['s3', ['s3']],
    ] as const) {
      expect(await built(join(deploy, at))).toBe(await kustomized(fresh(), components))
    }
  })

  test('has a chart without complaints, whose CRDs come with it', async () => {
    expect(await linted()).toContain('0 chart(s) failed')
    expect(await linted(...(await withValues(further)))).toContain('0 chart(s) failed')
    const kinds = objectsOf(await charted('--include-crds')).map(({ kind }) => kind)
    expect(kinds).toContain('CustomResourceDefinition')
  })

  test('has a chart whose other values are taken, too', async () => {
    const chart = await charted(...(await withValues(further)))
    await expectTaken(['-f', '-'], chart)
    const all = environments(objectsOf(chart))
    expect(all.get('slipway')).toMatchObject({
      SLIPWAY_LISTEN: '[::]:8080',
      SLIPWAY_IMPORT_CONCURRENCY: '16',
      SLIPWAY_PUBLIC_URL: 'https://images.example.org',
      HTTPS_PROXY: 'http://proxy.example.org:3128',
    })
    for (const env of all.values()) expect(readSettings(env).problems).toBeNull()
  })

  test('has a chart whose companion reads secrets in the namespaces that are named, and in no other', async () => {
    const bindings = async (...args: readonly string[]) =>
      objectsOf(await charted(...args))
        .filter(({ metadata }) => metadata.name === 'slipway-controller-secrets')
        .map(({ kind, metadata: { namespace: where } }) => [kind, where])
    expect(await bindings()).toEqual([
      ['ClusterRole', undefined],
      ['ClusterRoleBinding', undefined],
    ])
    expect(await bindings(...(await withValues(further)))).toEqual([
      ['ClusterRole', undefined],
      ['RoleBinding', 'default'],
      ['RoleBinding', 'kube-public'],
    ])
  })

  test('has a chart that refuses what it does not know, and a bucket without a name', async () => {
    const typo = withValues({ ingress: { enable: true } }).then((args) => charted(...args))
    await expect(typo).rejects.toThrow("additional properties 'enable' not allowed")
    const nameless = withValues({ s3: { enabled: true } }).then((args) => charted(...args))
    await expect(nameless).rejects.toThrow('s3.enabled needs s3.bucket')
  })

  test('has a chart without admission, and one that says who is trusted for it', async () => {
    const without = await charted('--set', 'webhook.enabled=false')
    expect(without).not.toMatch(/webhook|9443/i)
    const { caBundle } = further.webhook
    const others = objectsOf(await charted(...(await withValues(further))))
    const told = others.flatMap((each) => webhooksSchema.safeParse(each).data?.webhooks ?? [])
    expect(told).toEqual(
      Array(3).fill(
        expect.objectContaining({
          failurePolicy: 'Ignore',
          clientConfig: expect.objectContaining({ caBundle }),
        }),
      ),
    )
    const nobodys = withValues({ webhook: { caBundle } }).then((args) => charted(...args))
    await expect(nobodys).rejects.toThrow('webhook.caBundle needs webhook.secretName')
  })

  test('has webhooks that hinder nobody, by the patches of the README', async () => {
    const readme = await readFile(join(deploy, '../README.md'), 'utf8')
    const [, indented = ''] = /```yaml\n( *patches:\n.*?)```/s.exec(readme) ?? []
    const patches = z.object({ patches: z.array(z.unknown()) }).parse(load(indented))
    const all = objectsOf(await kustomized(fresh(), [], patches))
    const told = all.flatMap((each) => webhooksSchema.safeParse(each).data?.webhooks ?? [])
    expect(told.map((each) => each['failurePolicy'])).toEqual(['Ignore', 'Ignore', 'Ignore'])
  })

  test('has monitors that find the Services by their labels and ports', async () => {
    const chart = objectsOf(await charted('--set', 'serviceMonitor.enabled=true'))
    const of = (kind: string) => chart.filter((each) => each.kind === kind)
    expect(of('ServiceMonitor')).toHaveLength(2)
    for (const monitor of of('ServiceMonitor').map((each) => monitorSchema.parse(each))) {
      const found = of('Service').filter(({ metadata: { labels } }) =>
        Object.entries(monitor.spec.selector.matchLabels).every(
          ([key, is]) => labels?.[key] === is,
        ),
      )
      expect(found).toHaveLength(1)
      const [{ port }] = monitor.spec.endpoints
      expect(found[0]).toMatchObject({ spec: { ports: [{ name: port }] } })
    }
  })

  test('is installed, upgraded and taken away by helm, all but the volume', async () => {
    const release = ['slipway', '--namespace', namespace]
    const env = { PATH: process.env['PATH'], HOME: cluster.folder, KUBECONFIG: cluster.kubeconfig }
    const helm = (...args: readonly string[]) => run(tool('helm'), [...args], { env })
    const chart = join(deploy, 'chart')
    expect(await helm('install', ...release, chart)).toContain('STATUS: deployed')
    const asked = ['validatingwebhookconfiguration', namespace]
    const trusted = [{ op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: 'b25lCg==' }]
    await cluster.kubectl('patch', ...asked, '--type=json', '-p', JSON.stringify(trusted))
    const values = await withValues({ ...bucket(), data: { size: '100Gi' } })
    expect(await helm('upgrade', ...release, chart, ...values)).toContain('REVISION: 2')
    expect(await cluster.kubectl('get', ...asked, '-o', 'yaml')).toContain('caBundle: b25lCg==')
    const kinds =
      'validatingwebhookconfigurations,deployments,services,serviceaccounts,roles,networkpolicies,pdb,pvc'
    const left = () => cluster.kubectl('get', kinds, '-n', namespace, '-o', 'name')
    expect((await left()).split('\n')).toContain('persistentvolumeclaim/slipway-scratch')
    await helm('uninstall', ...release)
    // What protects a volume waits for a controller that this cluster does not have.
    await cluster.kubectl('patch', 'pvc/slipway-scratch', '-n', namespace, '-p', noFinalizers)
    expect((await left()).trim()).toBe('persistentvolumeclaim/slipway-data')
    expect(await cluster.kubectl('get', 'crds')).toContain('clustervirtualimages')
  })
})
