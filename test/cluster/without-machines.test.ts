import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import { startCompanion } from '../support/cluster/companion.ts'
import { applyRights, deploy, namespace } from '../support/cluster/deployment.ts'
import { machineClass } from '../support/machine-classes.ts'

const machines = fileURLToPath(new URL('fixtures/virtualmachines.yaml', import.meta.url))
const patience = { timeout: 30_000, interval: 100 }
/** Of machines. */
const right = /^ {2}- apiGroups: .*\n {4}resources: \[virtualmachines\]\n {4}verbs: .*\n/m

test.skipIf(!needsCluster())(
  'a companion that may not list machines says so, and why a class stays',
  async () => {
    await using cluster = await startCluster()
    await applyRights(cluster)
    await cluster.kubectl('apply', '-f', machines)
    await cluster.kubectl('wait', '--for=condition=Established', '-f', machines, '--timeout=30s')
    const rights = readFileSync(join(deploy, 'rbac/controller.yaml'), 'utf8')
    expect(rights).toMatch(right)
    await cluster.apply(rights.replace(right, ''), '--server-side')
    await cluster.apply(JSON.stringify(machineClass(undefined, 'some')))
    const token = await cluster.serviceAccountToken(namespace, 'slipway-controller')
    await using companion = await startCompanion({
      kubeconfig: await cluster.kubeconfigFor(token),
      service: 'http://127.0.0.1:9',
      variables: { SLIPWAY_LEADER_NAMESPACE: namespace },
    })
    await expect
      .poll(() => companion.read('/readyz'), patience)
      .toMatch(/^ok\nthe API server, of machines: .*403.*virtualmachines/)
    await cluster.kubectl('wait', '--for=jsonpath={.metadata.finalizers}', 'vmclass/some')
    await cluster.kubectl('delete', 'vmclass', 'some', '--wait=false')
    const inUse = '{.status.conditions[?(@.type=="InUse")].message}'
    const told = () => cluster.kubectl('get', 'vmclass', 'some', '-o', `jsonpath=${inUse}`)
    await expect.poll(told, patience).toContain('does not tell which there are')
    await cluster.apply(rights, '--server-side')
    await cluster.kubectl('wait', '--for=delete', 'vmclass/some', '--timeout=40s')
    expect(await companion.read('/readyz')).not.toContain('of machines')
  },
)
