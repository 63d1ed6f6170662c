import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { expect } from 'vitest'
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
 * @param ca whom the API server trusts, PEM; unless given, the companion says so
 */
export async function applyAdmission(cluster: Cluster, base: string, ca?: string): Promise<void> {
  const yaml = readFileSync(join(deploy, 'webhook/configuration.yaml'), 'utf8')
  const trust = ca === undefined ? {} : { caBundle: Buffer.from(ca).toString('base64') }
  const items = objectsOf(yaml).map((each) => leadTo(base, trust, configuration.parse(each)))
  const list = { apiVersion: 'v1', kind: 'List', items }
  await cluster.apply(JSON.stringify(list), '--server-side')
}

function leadTo(
  base: string,
  trust: { readonly caBundle?: string },
  { webhooks, ...rest }: z.output<typeof configuration>,
): object {
  const led = webhooks.map(({ clientConfig: { service }, ...each }) => ({
    ...each,
    clientConfig: { url: `${base}${service.path}`, ...trust },
  }))
  return { ...rest, webhooks: led }
}

/** What kubectl tells whoever applies something that is refused. */
export async function refused(cluster: Cluster, manifest: object): Promise<string> {
  const ended = await cluster.attemptKubectl(['apply', '-f', '-'], {
    input: JSON.stringify(manifest),
  })
  expect(ended).toMatchObject({ code: 1, stdout: '' })
  return ended.stderr.trimEnd()
}

const trusting = z.object({
  items: z.array(
    z.object({
      webhooks: z.array(z.object({ clientConfig: z.object({ caBundle: z.string().default('') }) })),
    }),
  ),
})

/** Whom the API server trusts for each webhook of ours, PEM; empty for nobody. */
export async function bundlesIn(cluster: Cluster): Promise<readonly string[]> {
  const kinds = 'validatingwebhookconfigurations,mutatingwebhookconfigurations'
  const { items } = trusting.parse(await cluster.read(kinds))
  return items.flatMap(({ webhooks }) =>
    webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle, 'base64').toString()),
  )
}

/** The certificate that is shown at a port of loopback to whoever trusts `ca`. */
export async function shownAt(port: number, ca: string): Promise<X509Certificate> {
  const socket = connect({ host: '127.0.0.1', port, ca })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(10_000) })
    const shown = socket.getPeerX509Certificate()
    if (!shown) throw new Error('no certificate was shown')
    return shown
  } finally {
    socket.destroy()
  }
}
