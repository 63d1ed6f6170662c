import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { definition } from '../../src/sync/crd/definition.ts'
import { virtualMachineClass } from '../../src/sync/crd/virtual-machine-class.ts'
import { freePort } from '../bench/peers/server.ts'
import { applyAdmission, bundlesIn, refused, shownAt } from '../support/cluster/admission.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { loosened } from '../support/cluster/class-api.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion, type Companion } from '../support/cluster/companion.ts'
import { defaultClass, machine, machineClass } from '../support/machine-classes.ts'
import { needs } from '../support/programs.ts'
import { certify, type Certificates } from '../unit/source/certificates.ts'

/** A certificate of somebody else's, in a cluster without machines whose definition of classes has no rules. */

const able = [needsCluster(), needs('openssl', 'apt-get install openssl')].every(Boolean)
const patience = { timeout: 60_000, interval: 100 }
/** Nobody has to be there: images are not what this is about. */
const noService = 'http://127.0.0.1:9'
const machines = fileURLToPath(new URL('fixtures/virtualmachines.yaml', import.meta.url))
const input = JSON.stringify(machine({ cores: 4 }, '1Gi', 'old'))
const [annotation = ''] = Object.keys(defaultClass)

describe.skipIf(!able)('admission with a certificate that is mounted', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let companion: Companion
  let tls: Certificates
  let port: number

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    await cluster.applyCrds()
    const loose = JSON.stringify(loosened(definition(virtualMachineClass)))
    await cluster.apply(loose, '--server-side', '--force-conflicts')
    port = await freePort()
    tls = await certify('IP:127.0.0.1')
    await applyAdmission(cluster, base(), tls.ca)
    await mkdir(folder())
    await mount(tls)
    const { kubeconfig } = cluster
    const variables = {
      SLIPWAY_LEADER_NAMESPACE: 'default',
      SLIPWAY_WEBHOOK_LISTEN: `127.0.0.1:${port}`,
      SLIPWAY_WEBHOOK_CERT: folder(),
    }
    companion = held.use(await startCompanion({ kubeconfig, service: noService, variables }))
  })
  afterAll(() => held.disposeAsync())

  const base = () => `https://127.0.0.1:${port}`
  const folder = () => join(cluster.folder, 'mounted')

  async function mount({ cert, key }: Certificates): Promise<void> {
    for (const [name, text] of [
      ['tls.crt', cert],
      ['tls.key', key],
    ] as const) {
      await writeFile(join(folder(), `${name}.new`), text)
      await rename(join(folder(), `${name}.new`), join(folder(), name))
    }
  }

  const store = async (object: object) =>
    await cluster.apply(JSON.stringify(object), '-n', 'default')

  async function takesClasses(): Promise<void> {
    const input = JSON.stringify(machineClass(undefined, 'x'))
    const args = ['apply', '--dry-run=server', '-f', '-']
    await expect
      .poll(async () => await cluster.attemptKubectl(args, { input }), patience)
      .toMatchObject({ code: 0 })
  }

  test('lets classes in, and leaves what the API server trusts to others', async () => {
    await takesClasses()
    expect(await bundlesIn(cluster)).toEqual([tls.ca, tls.ca, tls.ca])
    expect(await cluster.kubectl('get', 'secret', '-A', '-o', 'name')).toBe('')
  })

  test('takes the certificate that comes in its place', async () => {
    const next = await certify('IP:127.0.0.1')
    await mount(next)
    await expect.poll(async () => String(await shownAt(port, next.ca)), patience).toBe(next.cert)
    expect(await bundlesIn(cluster)).toEqual([tls.ca, tls.ca, tls.ca])
    await applyAdmission(cluster, base(), next.ca)
    await takesClasses()
  })

  const cores = (min: number, max: number) => ({ cores: { min, max } })
  test.each([
    [
      'one range within another',
      [cores(1, 10), cores(3, 5)],
      'spec.sizingPolicies[1].cores: VirtualMachineClass "x" has sizing policies whose core ranges overlap: 1-10 and 3-5',
    ],
    [
      'the same range twice',
      [cores(1, 4), cores(1, 4)],
      'spec.sizingPolicies[1].cores: VirtualMachineClass "x" has sizing policies whose core ranges overlap: 1-4 and 1-4',
    ],
    [
      'cores out of order',
      [cores(5, 4)],
      'spec.sizingPolicies[0].cores: The minimum must not be greater than the maximum',
    ],
    [
      'memory out of order',
      [{ ...cores(1, 4), memory: { min: '2Gi', max: '1025Mi' } }],
      'spec.sizingPolicies[0].memory: The minimum must not be greater than the maximum',
    ],
    [
      'a fraction that is none',
      [{ ...cores(1, 4), coreFractions: [5, 0] }],
      'spec.sizingPolicies[0].coreFractions[1]: must be a whole number from 1 to 100',
    ],
    [
      'a default fraction that is not allowed',
      [{ ...cores(1, 4), coreFractions: [5, 10], defaultCoreFraction: 20 }],
      'spec.sizingPolicies[0].defaultCoreFraction: must be one of coreFractions: 5, 10',
    ],
    [
      'a size with an exponent and a unit',
      [{ ...cores(1, 4), memory: { min: '1e3Mi' } }],
      'spec.sizingPolicies[0].memory.min: must be a quantity such as 512Mi, 1.5Gi or 1e9',
    ],
  ])('refuses a class with %s, by itself', async (_, policies, message) => {
    expect(await refused(cluster, machineClass(policies, 'x'))).toBe(
      `The VirtualMachineClass "x" is invalid: ${message}`,
    )
  })

  test('tells all that is wrong with a class at once', async () => {
    const policies = [
      { ...cores(1, 10), memory: { min: '8Gi', max: '1Gi', step: '0' } },
      { ...cores(3, 5), coreFractions: [0] },
      cores(5, 6),
    ]
    const wrong = machineClass(policies, 'x', { [annotation]: 'yes' })
    const overlap = 'VirtualMachineClass "x" has sizing policies whose core ranges overlap'
    expect((await refused(cluster, wrong)).split('\n')).toEqual([
      'The VirtualMachineClass "x" is invalid: ',
      '* spec.sizingPolicies[0].memory.step: must be above 0',
      '* spec.sizingPolicies[1].coreFractions[0]: must be a whole number from 1 to 100',
      `* metadata.annotations[${annotation}]: must be "true"`,
      '* spec.sizingPolicies[0].memory: The minimum must not be greater than the maximum',
      `* spec.sizingPolicies[1].cores: ${overlap}: 1-10 and 3-5`,
      `* spec.sizingPolicies[2].cores: ${overlap}: 1-10 and 5-6`,
      `* spec.sizingPolicies[2].cores: ${overlap}: 3-5 and 5-6`,
    ])
  })

  test('is quiet about machines that there are not', async () => {
    expect(await companion.read('/readyz')).toMatch(/^ok\n/)
    const warned = companion.logs.lines.filter(({ level }) => Number(level) >= 40)
    expect(warned.map(({ msg }) => msg).toSorted()).toEqual([
      'the certificate expires soon; put a new one into its place',
      'the service is not listened to',
    ])
    expect(await companion.read('/metrics')).not.toContain('-virtualmachines"')
    const asked = (await cluster.audit()).filter(({ resource }) => resource === 'virtualmachines')
    expect(new Set(asked.map(({ verb, code }) => `${verb} ${code}`))).toEqual(new Set(['list 404']))
    expect(asked.length).toBeLessThan(20)
  })

  test('judges machines as soon as there are such, and says whose fault an old class is', async () => {
    const hooks = ['validatingwebhookconfiguration', 'slipway']
    const asked = await cluster.kubectl('get', ...hooks, '-o', 'json')
    await cluster.kubectl('delete', ...hooks)
    await store(machineClass([cores(1, 10), cores(3, 5)], 'old'))
    await store({ ...z.looseObject({}).parse(JSON.parse(asked)), metadata: { name: 'slipway' } })
    await cluster.kubectl('apply', '-f', machines)
    await cluster.kubectl('wait', '--for=condition=Established', '-f', machines, '--timeout=30s')
    await expect
      .poll(
        async () => await cluster.attemptKubectl(['apply', '-n', 'default', '-f', '-'], { input }),
        patience,
      )
      .toEqual({
        code: 1,
        stdout: '',
        stderr: `The VirtualMachine "linux-vm" is invalid: spec.virtualMachineClassName: VirtualMachineClass "old" cannot be read, and its administrator has to mend it: spec.sizingPolicies[1].cores: VirtualMachineClass "old" has sizing policies whose core ranges overlap: 1-10 and 3-5\n`,
      })
    const edit = { metadata: { labels: { a: 'b' } }, spec: { nodeSelector: { matchLabels: {} } } }
    const args = ['patch', 'vmclass', 'old', '--type=merge', '-p', JSON.stringify(edit)]
    expect(await cluster.kubectl(...args)).toContain('patched')
    await store(machineClass([cores(1, 10)], 'old'))
    await store(JSON.parse(input))
  })
})
