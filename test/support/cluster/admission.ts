import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Cluster } from './cluster.ts'
import { deploy, objectsOf } from './deployment.ts'

const webhook = z.looseObject({
  clientConfig: z.object({ service: z.looseObject({ path: z.string() }) }),
})
const configuration = z.looseObject({ webhooks: z.array(webhook) })

/**
 * The webhook configurations of `deploy/`, where nothing has a network: the API server asks at an address, not a Service. It
 * takes them into use in its own time.
 *
 * @param base `https://127.0.0.1:port`
 */
export async function applyAdmission(cluster: Cluster, base: string): Promise<void> {
  const yaml = readFileSync(join(deploy, 'webhook/configuration.yaml'), 'utf8')
  const items = objectsOf(yaml).map((each) => leadTo(base, configuration.parse(each)))
  const list = { apiVersion: 'v1', kind: 'List', items }
  await cluster.apply(JSON.stringify(list), '--server-side')
}

function leadTo(base: string, { webhooks, ...rest }: z.output<typeof configuration>): object {
  const led = webhooks.map(({ clientConfig: { service }, ...each }) => ({
    ...each,
    clientConfig: { url: `${base}${service.path}` },
  }))
  return { ...rest, webhooks: led }
}
