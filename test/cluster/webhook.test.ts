import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { freePort } from '../bench/peers/server.ts'
import { applyAdmission, bundlesIn, refused } from '../support/cluster/admission.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion, type Companion } from '../support/cluster/companion.ts'
import { defaultClass, machine, machineClass } from '../support/machine-classes.ts'

/** Admission as whoever uses kubectl meets it: the API server asks the companion. */

const machines = fileURLToPath(new URL('fixtures/virtualmachines.yaml', import.meta.url))
const presets = ['generic', 'host', 'host-passthrough']
const [annotation = ''] = Object.keys(defaultClass)
/** Nobody has to be there: images are not what this is about. */
const noService = 'http://127.0.0.1:9'

const small = {
  cores: { min: 1, max: 4 },
  memory: { min: '1Gi', max: '8Gi', step: '1Gi' },
  dedicatedCores: [false],
  coreFractions: [5, 10],
}
const large = {
  cores: { min: 5, max: 8 },
  memory: { perCore: { min: '1Gi', max: '2Gi' } },
  dedicatedCores: [true],
}
const even = { cores: { min: 2, max: 8, step: 2 } }

const readMachine = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string()).optional() }),
  spec: z.looseObject({
    virtualMachineClassName: z.string().optional(),
    cpu: z.looseObject({ cores: z.int() }),
  }),
})

describe.skipIf(!needsCluster())('admission', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let companion: Companion
  let port: number

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    await cluster.applyCrds()
    await cluster.kubectl('apply', '-f', machines)
    await cluster.kubectl('wait', '--for=condition=Established', '-f', machines, '--timeout=30s')
    port = await freePort()
    await applyAdmission(cluster, `https://127.0.0.1:${port}`)
    const { kubeconfig } = cluster
    const variables = {
      SLIPWAY_LEADER_NAMESPACE: 'default',
      SLIPWAY_WEBHOOK_LISTEN: `127.0.0.1:${port}`,
    }
    companion = held.use(await startCompanion({ kubeconfig, service: noService, variables }))
  })
  afterAll(() => held.disposeAsync())

  const named = (name: string, spec: object, metadata: object = {}) => ({
    apiVersion: 'virtualization.deckhouse.io/v1alpha2',
    kind: 'VirtualMachine',
    metadata: { name, namespace: 'default', ...metadata },
    spec,
  })
  const sized = (className: string, cpu: object, size = '1Gi') =>
    named('vm', machine(cpu, size, className).spec)

  const store = async (...objects: readonly object[]) => {
    for (const each of objects) await cluster.apply(JSON.stringify(each))
  }
  const patch = async (kind: string, name: string, body: object) => {
    const args = ['patch', kind, name, '-n', 'default', '--type=merge', '-p', JSON.stringify(body)]
    return await cluster.attemptKubectl(args)
  }
  const patched = async (kind: string, name: string, body: object) =>
    expect(await patch(kind, name, body)).toMatchObject({ code: 0, stderr: '' })
  const unpatched = async (kind: string, name: string, body: object) => {
    const { code, stderr } = await patch(kind, name, body)
    expect(code).toBe(1)
    return stderr.trimEnd()
  }
  const vm = async (name: string) =>
    readMachine.parse(await cluster.read('virtualmachine', name, '-n', 'default'))

  test('is trusted by itself, and lets in the presets, each once', async () => {
    const secret = ['secret', 'slipway-webhook', '-n', 'default']
    const coded = await cluster.kubectl('get', ...secret, '-o', 'jsonpath={.data.ca\\.crt}')
    const bundle = Buffer.from(coded, 'base64').toString()
    expect(await bundlesIn(cluster)).toEqual([bundle, bundle, bundle])
    for (const name of presets)
      await cluster.kubectl('wait', '--for=create', `vmclass/${name}`, '--timeout=60s')
    const told = companion.logs.lines.map(({ msg }) => msg)
    expect(told).not.toContain('the presets are applied later')
    const created = (await cluster.audit()).filter(
      ({ verb, resource, code }) =>
        verb === 'create' && resource === 'virtualmachineclasses' && code === 201,
    )
    expect(created.map(({ agent }) => agent.split('/')[0])).toEqual([
      'slipway',
      'slipway',
      'slipway',
    ])
    expect(await companion.read('/metrics')).toContain(
      'slipway_webhook_requests_total{webhook="validate-virtualmachineclasses",outcome="allowed"} 3\n',
    )
  })

  test('lets in one default class', async () => {
    await store(machineClass([small, large], 'c'), machineClass([even], 'even'))
    await store(machineClass(undefined, 'usual', defaultClass))
    const second = `is invalid: metadata.annotations: VirtualMachineClass "usual" is the default already; take the annotation ${annotation} from it first`
    expect(await refused(cluster, machineClass(undefined, 'second', defaultClass))).toBe(
      `The VirtualMachineClass "second" ${second}`,
    )
    const asked = { metadata: { annotations: defaultClass } }
    expect(await unpatched('vmclass', 'generic', asked)).toBe(
      `The VirtualMachineClass "generic" ${second}`,
    )
    const misspelled = machineClass(undefined, 'second', { [annotation]: 'yes' })
    expect(await refused(cluster, misspelled)).toBe(
      `The VirtualMachineClass "second" is invalid: metadata.annotations[${annotation}]: must be "true"`,
    )
    await patched('vmclass', 'usual', { metadata: { annotations: { [annotation]: null } } })
    await patched('vmclass', 'generic', asked)
    await patched('vmclass', 'generic', { metadata: { annotations: { [annotation]: null } } })
  })

  test('refuses what the definition refuses before it is asked', async () => {
    const overlapping = [{ cores: { min: 1, max: 10 } }, { cores: { min: 3, max: 5 } }]
    expect(await refused(cluster, machineClass(overlapping, 'x'))).toBe(
      'The VirtualMachineClass "x" is invalid: spec.sizingPolicies: Invalid value: VirtualMachineClass "x" has sizing policies whose core ranges overlap: 1-10 and 3-5',
    )
    const disorder = { ...small, memory: { min: '8Gi', max: '1Gi' }, coreFractions: [0, 101] }
    expect(await refused(cluster, machineClass([disorder], 'x'))).toBe(
      [
        'The VirtualMachineClass "x" is invalid: ',
        '* spec.sizingPolicies[0].coreFractions[0]: Invalid value: 0: spec.sizingPolicies[0].coreFractions[0] in body should be greater than or equal to 1',
        '* spec.sizingPolicies[0].coreFractions[1]: Invalid value: 101: spec.sizingPolicies[0].coreFractions[1] in body should be less than or equal to 100',
        '* spec.sizingPolicies[0].memory: Invalid value: The minimum must not be greater than the maximum',
      ].join('\n'),
    )
  })

  test.each([
    [
      'cores outside every range',
      sized('c', { cores: 9 }),
      'spec.cpu.cores: does not match any sizing policy of VirtualMachineClass "c": its 9 CPU core(s) fall outside the allowed ranges (1-4, 5-8); set the number of cores (spec.cpu.cores) accordingly',
    ],
    [
      'no cores',
      sized('c', { cores: 0 }),
      'spec.cpu.cores: does not match any sizing policy of VirtualMachineClass "c": its 0 CPU core(s) fall outside the allowed ranges (1-4, 5-8); set the number of cores (spec.cpu.cores) accordingly',
    ],
    [
      'cores between two steps',
      sized('even', { cores: 7 }),
      'spec.cpu.cores: the number of CPU cores (7) does not match the sizing policy step; set the number of cores (spec.cpu.cores) to 6 or 8',
    ],
    [
      'another fraction',
      sized('c', { cores: 1, coreFraction: '30%' }),
      'spec.cpu.coreFraction: the CPU core fraction "30%" is not allowed; set the core fraction (spec.cpu.coreFraction) to one of: 5%, 10%',
    ],
    [
      'dedicated cores',
      sized('c', { cores: 1, coreFraction: 5, dedicatedCores: true }),
      'spec.cpu.dedicatedCores: dedicated CPU cores are not allowed by the sizing policy; set spec.cpu.dedicatedCores to false',
    ],
    [
      'shared cores',
      sized('c', { cores: 5 }, '8Gi'),
      'spec.cpu.dedicatedCores: dedicated CPU cores are required by the sizing policy; set spec.cpu.dedicatedCores to true',
    ],
    [
      'too much memory',
      sized('c', { cores: 1, coreFraction: '5%' }, '16Gi'),
      'spec.memory.size: the memory size (16Gi) is out of the range allowed by the sizing policy; set the memory size (spec.memory.size) between 1Gi and 8Gi',
    ],
    [
      'memory between two steps',
      sized('c', { cores: 1, coreFraction: '5%' }, '1536Mi'),
      'spec.memory.size: the memory size (1536Mi) does not match the sizing policy step; set the memory size (spec.memory.size) to 1Gi or 2Gi',
    ],
    [
      'too much memory for each core',
      sized('c', { cores: 6, dedicatedCores: true }, '18Gi'),
      'spec.memory.size: the memory size (18Gi) is not allowed for 6 CPU core(s); set the memory size (spec.memory.size) between 6Gi and 12Gi, or change the number of cores (spec.cpu.cores) (the sizing policy allows between 1Gi and 2Gi of memory per core)',
    ],
    [
      'a class that there is not',
      sized('gone', { cores: 1 }),
      'spec.virtualMachineClassName: there is no VirtualMachineClass "gone"; set the class (spec.virtualMachineClassName) to one of: c, even, generic, host, host-passthrough, usual',
    ],
    [
      'no class, where there is no default',
      named('vm', machine({ cores: 1 }).spec),
      'spec.virtualMachineClassName: no VirtualMachineClass is named, and none is the default; set the class (spec.virtualMachineClassName) to one of: c, even, generic, host, host-passthrough, usual',
    ],
    [
      'a fraction that is none',
      sized('c', { cores: 1, coreFraction: 'half' }),
      'spec.cpu.coreFraction: must be a percentage from "1%" to "100%", or a number from 1 to 100',
    ],
    [
      'a size that is none',
      sized('c', { cores: 1, coreFraction: '5%' }, '1e3Mi'),
      'spec.memory.size: must be a quantity such as 512Mi, 1.5Gi or 1e9',
    ],
  ])('refuses a machine with %s', async (_, body, message) => {
    expect(await refused(cluster, body)).toBe(`The VirtualMachine "vm" is invalid: ${message}`)
  })

  test('tells all that is wrong at once', async () => {
    const wrong = sized('c', { cores: 4, coreFraction: 30, dedicatedCores: true }, '1536Mi')
    expect(await refused(cluster, wrong)).toBe(
      [
        'The VirtualMachine "vm" is invalid: ',
        '* spec.cpu.coreFraction: the CPU core fraction "30%" is not allowed; set the core fraction (spec.cpu.coreFraction) to one of: 5%, 10%',
        '* spec.cpu.dedicatedCores: dedicated CPU cores are not allowed by the sizing policy; set spec.cpu.dedicatedCores to false',
        '* spec.memory.size: the memory size (1536Mi) does not match the sizing policy step; set the memory size (spec.memory.size) to 1Gi or 2Gi',
      ].join('\n'),
    )
    const told = await companion.logs.line(({ msg, codes }) => {
      return msg === 'admission was refused' && Array.isArray(codes) && codes.length === 3
    })
    expect(told).toMatchObject({
      level: 30,
      webhook: 'validate-virtualmachines',
      user: 'admin',
      name: 'vm',
      namespace: 'default',
      codes: ['CORE_FRACTION_NOT_ALLOWED', 'DEDICATED_CORES_NOT_ALLOWED', 'MEMORY_OFF_STEP'],
    })
  })

  test('lets in machines that fit, or whose class has no say', async () => {
    const fitting = machine({ cores: 4, coreFraction: '10%' }, '8Gi', 'c').spec
    await store(
      named('fits', fitting),
      named('fits-exactly', machine({ cores: 8, dedicatedCores: true }, '12Gi', 'c').spec),
      named('on-a-step', machine({ cores: 6 }, '3Gi', 'even').spec),
      named('strange', machine({ cores: 1, coreFraction: 'half' }, 'much', 'usual').spec),
    )
    expect(await vm('fits')).toMatchObject({ spec: fitting })
  })

  test('is not got round by who says that an object is on its way out', async () => {
    const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 }
    const outside = 'does not match any sizing policy of VirtualMachineClass "c"'
    const wrong = named('vm', machine({ cores: 9 }, '1Gi', 'c').spec, metadata)
    expect(await refused(cluster, wrong)).toContain(outside)
    const body = { metadata, spec: { cpu: { cores: 9 } } }
    expect(await unpatched('virtualmachine', 'fits', body)).toMatch(/is invalid/)
    expect((await vm('fits')).spec.cpu.cores).toBe(4)
  })

  test('keeps new machines from a class on its way out', async () => {
    await store(
      machineClass(undefined, 'leaving'),
      named('user', machine({ cores: 1 }, '1Gi', 'leaving').spec),
    )
    await expect
      .poll(() =>
        cluster.kubectl('get', 'vmclass', 'leaving', '-o', 'jsonpath={.metadata.finalizers}'),
      )
      .toContain('vmclass-cleanup')
    await cluster.kubectl('delete', 'vmclass', 'leaving', '--wait=false')
    const wrong =
      'VirtualMachineClass "leaving" is on its way out, and takes no more machines; set the class (spec.virtualMachineClassName) to one of: c, even, generic, host, host-passthrough, usual'
    await expect
      .poll(() => refused(cluster, sized('leaving', { cores: 1 })))
      .toBe(`The VirtualMachine "vm" is invalid: spec.virtualMachineClassName: ${wrong}`)
    await patched('virtualmachine', 'user', { spec: { cpu: { cores: 2 } } })
    await cluster.kubectl('delete', 'virtualmachine', 'user', '-n', 'default')
    await cluster.kubectl('wait', '--for=delete', 'vmclass/leaving', '--timeout=60s')
  })

  test('names the default class where none is named, and the one there was', async () => {
    await patched('vmclass', 'even', { metadata: { annotations: defaultClass } })
    const { spec } = machine({ cores: 2 })
    await store(named('nameless', spec), named('empty', { ...spec, virtualMachineClassName: '' }))
    // Whoever creates may write that; the API server takes it away before it asks.
    await store(named('leaver', spec, { deletionTimestamp: '2026-01-01T00:00:00Z' }))
    for (const name of ['nameless', 'empty', 'leaver'])
      expect((await vm(name)).spec.virtualMachineClassName).toBe('even')
    await patched('virtualmachine', 'fits', { spec: { virtualMachineClassName: null } })
    expect((await vm('fits')).spec.virtualMachineClassName).toBe('c')
    expect(await refused(cluster, named('vm', machine({ cores: 3 }).spec))).toBe(
      'The VirtualMachine "vm" is invalid: spec.cpu.cores: the number of CPU cores (3) does not match the sizing policy step; set the number of cores (spec.cpu.cores) to 2 or 4',
    )
  })

  test('lets a machine be that no longer fits, until its size changes', async () => {
    await patched('vmclass', 'even', { spec: { sizingPolicies: [{ cores: { min: 4, max: 8 } }] } })
    const finalizers = ['example.com/kept']
    await patched('virtualmachine', 'nameless', { metadata: { labels: { a: 'b' }, finalizers } })
    await patched('virtualmachine', 'nameless', { spec: { runPolicy: 'AlwaysOff' } })
    expect(await unpatched('virtualmachine', 'nameless', { spec: { cpu: { cores: 3 } } })).toBe(
      'The VirtualMachine "nameless" is invalid: spec.cpu.cores: does not match any sizing policy of VirtualMachineClass "even": its 3 CPU core(s) fall outside the allowed ranges (4-8); set the number of cores (spec.cpu.cores) accordingly',
    )
    expect((await vm('nameless')).spec.cpu.cores).toBe(2)
    await patched('virtualmachine', 'nameless', { spec: { cpu: { cores: 4 } } })
  })

  test('while no companion runs: what is there can be changed and deleted, nothing new comes', async () => {
    await companion.kill()
    await patched('virtualmachine', 'nameless', { metadata: { labels: { a: 'c' } } })
    await cluster.kubectl('delete', 'virtualmachine', 'nameless', '-n', 'default', '--wait=false')
    await patched('virtualmachine', 'nameless', { metadata: { finalizers: null } })
    await cluster.kubectl('wait', '--for=delete', 'virtualmachine/nameless', '-n', 'default')
    await cluster.kubectl('delete', 'virtualmachine', 'strange', '-n', 'default')
    await patched('vmclass', 'usual', { metadata: { labels: { a: 'b' }, finalizers: null } })
    await cluster.kubectl('delete', 'vmclass', 'usual')
    const failed = (webhook: string, path: string) =>
      `Error from server (InternalError): error when creating "STDIN": Internal error occurred: failed calling webhook "${webhook}.virtualization.deckhouse.io": failed to call webhook: Post "https://127.0.0.1:${port}/${path}?timeout=5s": dial tcp 127.0.0.1:${port}: connect: connection refused`
    const fits = machine({ cores: 1, coreFraction: '5%' }, '1Gi', 'c').spec
    expect(await refused(cluster, named('vm', fits))).toBe(
      failed('virtualmachines', 'validate-virtualmachines'),
    )
    expect(await refused(cluster, named('vm', machine({ cores: 4 }).spec))).toBe(
      failed('default.virtualmachines', 'default-virtualmachines'),
    )
    expect(await refused(cluster, machineClass(undefined, 'x'))).toBe(
      failed('virtualmachineclasses', 'validate-virtualmachineclasses'),
    )
    await companion.start()
    await store(named('vm', fits), machineClass(undefined, 'x'))
  })
})
