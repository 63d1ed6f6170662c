import { z } from 'zod'
import { Refusal } from '../../errors.ts'
import { checked } from '../../kube/answers.ts'
import type { ClusterApi } from '../../kube/cluster-api.ts'
import type { SelfMade } from './self-made.ts'

export type SecretPlace = { readonly api: ClusterApi; readonly namespace: string }

export type KeptSecret = {
  /** Null when there is no Secret. */
  readonly version: string | null
  readonly made: SelfMade
}

export const secretName = 'slipway-webhook'

const keys = {
  bundle: 'ca.crt',
  authorityKey: 'ca.key',
  cert: 'tls.crt',
  key: 'tls.key',
} as const

const nothing: KeptSecret = {
  version: null,
  made: { bundle: '', authorityKey: '', cert: '', key: '' },
}

const secretSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
})

export function secretsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/secrets`
}

/** Whatever somebody has put into the Secret: it is looked at by whoever uses it. */
export async function readSecret(
  { api, namespace }: SecretPlace,
  signal: AbortSignal,
): Promise<KeptSecret> {
  try {
    const answer = await api.get(`${secretsPath(namespace)}/${secretName}`, {}, signal)
    const { metadata, data } = checked(secretSchema, answer)
    const text = (key: string) => Buffer.from(data?.[key] ?? '', 'base64').toString()
    const { bundle, authorityKey, cert, key } = keys
    return {
      version: metadata.resourceVersion,
      made: {
        bundle: text(bundle),
        authorityKey: text(authorityKey),
        cert: text(cert),
        key: text(key),
      },
    }
  } catch (error) {
    if (error instanceof Refusal && error.code === 'CLUSTER_NOT_FOUND') return nothing
    throw error
  }
}

/**
 * Puts it into the place of what was read.
 * @throws Refusal CLUSTER_CONFLICT or CLUSTER_EXISTS when somebody was faster
 */
export async function writeSecret(
  { api, namespace }: SecretPlace,
  version: string | null,
  made: SelfMade,
  signal: AbortSignal,
): Promise<void> {
  const data = {
    [keys.bundle]: coded(made.bundle),
    [keys.authorityKey]: coded(made.authorityKey),
    [keys.cert]: coded(made.cert),
    [keys.key]: coded(made.key),
  }
  const path = secretsPath(namespace)
  if (version !== null) {
    const body = { metadata: { resourceVersion: version }, data }
    await api.patch(`${path}/${secretName}`, 'merge', body, {}, signal)
    return
  }
  const metadata = { name: secretName, namespace, labels: { 'app.kubernetes.io/name': 'slipway' } }
  const type = 'kubernetes.io/tls'
  await api.create(path, { apiVersion: 'v1', kind: 'Secret', metadata, type, data }, signal)
}

function coded(text: string): string {
  return Buffer.from(text).toString('base64')
}
