import { fileURLToPath } from 'node:url'
import { load } from 'js-yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cpuX, cpuY, guideNodes } from '../support/cluster-nodes.ts'
import { Api } from '../support/cluster/api.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { ClassApi } from '../support/cluster/class-api.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion } from '../support/cluster/companion.ts'
import {
  fragmentInGuide,
  lineInGuide,
  manifestInGuide,
  printedInGuide,
} from '../support/cluster/guide-text.ts'
import { NodeApi } from '../support/cluster/node-api.ts'
import { typed } from '../support/cluster/typed.ts'
import { machine } from '../support/machine-classes.ts'
import { needs } from '../support/programs.ts'

/** The administrator's guide to classes of machines, word for word: its manifests, its commands, its tables. */

const able = [needsCluster(), needs('jq', 'apt-get install jq')].every(Boolean)
const machines = fileURLToPath(new URL('fixtures/virtualmachines.yaml', import.meta.url))
const patience = { timeout: 30_000, interval: 50 }
/** Nobody has to be there: images are not what this is about. */
const noService = 'http://127.0.0.1:9'

const fragment = z.object({ spec: z.looseObject({ cpu: z.looseObject({}) }) })
const readClass = z.object({
  status: z
    .object({
      phase: z.string(),
      availableNodes: z.array(z.string()),
      cpuFeatures: z.object({ enabled: z.array(z.string()) }).partial(),
    })
    .partial()
    .prefault({}),
})
const readMachines = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ conditions: z.array(z.object({ status: z.string() })) }).optional(),
    }),
  ),
})

const [blue, green] = [
  ['blue-1', 'blue-2'],
  ['green-1', 'green-2'],
]

describe.skipIf(!able)('the guide to classes', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let nodes: NodeApi
  let classes: ClassApi

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    await cluster.applyCrds()
    await cluster.kubectl('apply', '-f', machines)
    await cluster.kubectl('wait', '--for=condition=Established', '-f', machines, '--timeout=30s')
    const api = held.use(await Api.open(cluster))
    ;[nodes, classes] = [new NodeApi(api), new ClassApi(api)]
    const models = printedInGuide('# Примерный вывод:')
    for (const [name, shape] of guideNodes) {
      await nodes.create(name, { ...shape, models: name === 'blue-1' ? models : ['Nehalem'] })
    }
    const { kubeconfig } = cluster
    held.use(await startCompanion({ kubeconfig, service: noService }))
  })
  afterAll(() => held.disposeAsync())

  async function expectClass(
    name: string,
    availableNodes: readonly string[],
    enabled?: readonly string[],
  ): Promise<void> {
    const features = enabled && { cpuFeatures: { enabled: enabled.toSorted() } }
    await expect
      .poll(async () => readClass.parse(await classes.read(name)).status, patience)
      .toEqual({ phase: 'Ready', availableNodes, ...features })
  }

  test('shows three classes that are there from the beginning', async () => {
    for (const name of ['host', 'host-passthrough', 'generic'])
      await expectClass(name, [...blue, ...green])
    const line = 'kubectl get virtualmachineclass'
    const [header, ...rows] = (await typed(cluster, lineInGuide(line))).trimEnd().split('\n')
    const [headerInGuide, ...rowsInGuide] = printedInGuide(line)
    expect(header).toBe(headerInGuide)
    const withoutAge = (row: string) => row.replace(/(?:\d+[dhms])+$/, '')
    expect(rows.map(withoutAge)).toEqual(rowsInGuide.map(withoutAge).toSorted())
  })

  test('has a machine name its class', async () => {
    const rest = '  cpu:\n    cores: 1\n  memory:\n    size: 1Gi\n'
    await cluster.apply(manifestInGuide('linux-vm') + rest, '-n', 'default')
    const is = '--for=condition=SizingPolicyMatched'
    await cluster.kubectl('wait', is, 'virtualmachine/linux-vm', '-n', 'default', '--timeout=30s')
  })

  test('has a class for all its nodes, and one for each of its processors', async () => {
    await cluster.apply(manifestInGuide('universal'), '--validate=strict')
    await expectClass('universal', [...blue, ...green], cpuX)
    await expectClass('cpu-x', blue, cpuX)
    await expectClass('cpu-y', green, cpuY)
  })

  test('has a class for workers, with what all nodes but the masters can do', async () => {
    const labels = { 'node-role.kubernetes.io/control-plane': '' }
    await nodes.create('master', { features: ['sse4'], labels })
    const worker = { 'node.deckhouse.io/group': 'worker' }
    const features = [...cpuX, 'vmx']
    await nodes.create('worker', { features, models: ['IvyBridge'], labels: worker })
    await cluster.apply(manifestInGuide('discovery'), '--validate=strict')
    await expectClass('discovery', ['worker'], cpuX)
  })

  test('says how large the machines of that class may be', async () => {
    const ten = { coreFraction: '10%' }
    const twenty = { coreFraction: '20%' }
    const dedicatedCores = true
    const fitting = [
      machine({ cores: 1, coreFraction: '5%' }, '1Gi'),
      machine({ cores: 4, ...ten }, '1.5Gi'),
      machine({ cores: 2 }, '8Gi'),
      machine({ cores: 5, ...twenty }, '5Gi'),
      machine({ cores: 8 }, '16Gi'),
      machine({ cores: 9, dedicatedCores, coreFraction: '50%' }, '9Gi'),
      machine({ cores: 16 }, '32Gi'),
      machine({ cores: 17, dedicatedCores }, '17Gi'),
      machine({ cores: 1024, dedicatedCores }, '2Ti'),
    ]
    const others = [
      machine({ cores: 1 }, '512Mi'),
      machine({ cores: 4 }, '1792Mi'),
      machine({ cores: 4, dedicatedCores }, '1Gi'),
      machine({ cores: 4, coreFraction: '30%' }, '1Gi'),
      machine({ cores: 5 }, '4Gi'),
      machine({ cores: 5, ...ten }, '5Gi'),
      machine({ cores: 8 }, '5632Mi'),
      machine({ cores: 8, dedicatedCores }, '8Gi'),
      machine({ cores: 9, ...twenty }, '9Gi'),
      machine({ cores: 16 }, '33Gi'),
      machine({ cores: 17 }, '17Gi'),
      machine({ cores: 17, dedicatedCores }, '16Gi'),
      machine({ cores: 17, dedicatedCores }, '35Gi'),
      machine({ cores: 17, dedicatedCores, coreFraction: '50%' }, '17Gi'),
    ]
    const named = (prefix: string, all: typeof others) =>
      all.map(({ spec, ...rest }, index) => ({
        ...rest,
        metadata: { name: `${prefix}-${String(index).padStart(2, '0')}`, namespace: 'default' },
        spec: { ...spec, virtualMachineClassName: 'discovery' },
      }))
    const all = [...named('does-not', others), ...named('fits', fitting)]
    await cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: all }))
    await expect
      .poll(verdicts, patience)
      .toEqual(all.map(({ metadata: { name } }) => [name, name.startsWith('fits-')]))
  })

  /** Of each machine of the test above, whether it fits; null as long as nothing is said. */
  async function verdicts() {
    const { items } = readMachines.parse(await cluster.read('virtualmachine', '-n', 'default'))
    const asked = items.filter(({ metadata: { name } }) => name !== 'linux-vm')
    return asked.map(({ metadata: { name }, status }) => {
      const said = status?.conditions[0]?.status
      return [name, said === undefined ? null : said === 'True']
    })
  }

  test('shows which models a node knows', async () => {
    const line = lineInGuide(
      `kubectl get nodes <node-name> -o json | jq '.metadata.labels | to_entries[] | select(.key | test("cpu-model")) | .key | split("/")[1]' -r`,
    )
    const printed = await typed(cluster, line.replace('<node-name>', 'blue-1'))
    expect(printed.trimEnd().split('\n')).toEqual(printedInGuide('# Примерный вывод:'))
  })

  test.each([
    ['Features', ['worker'], ['vmx']],
    ['Discovery', [...blue, ...green, 'worker'], cpuX],
    ['Model', ['blue-1', 'worker'], undefined],
  ])('has a fragment for a class of type %s', async (type, available, enabled) => {
    const { spec } = fragment.parse(load(fragmentInGuide(type)))
    expect(spec.cpu).toHaveProperty('type', type)
    const name = `of-${type.toLowerCase()}`
    await classes.create(name, spec)
    await expectClass(name, available, enabled)
  })
})
