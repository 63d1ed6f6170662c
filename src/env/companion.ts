import { delimiter, resolve } from 'node:path'
import { z } from 'zod'
import { optional, required } from './setting.ts'
import { by, file, listen } from './texts.ts'
import { traceNames } from './traces.ts'

/** What `slipway controller` reads, and of that the service where the API server is. */
export const companionSettings = {
  leaderNamespace: optional(
    'SLIPWAY_LEADER_NAMESPACE',
    'a namespace',
    "where the companion's Lease lies; without it, the pod's own, or the one of `KUBECONFIG`",
    by(z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)),
  ),
  workers: required(
    'SLIPWAY_WORKERS',
    '4',
    'a whole number from 1 to 64',
    'resources that the companion works on at the same time',
    by(
      z
        .string()
        .regex(/^\d{1,2}$/)
        .transform(Number)
        .pipe(z.int().min(1).max(64)),
    ),
  ),
  controllerListen: required(
    'SLIPWAY_CONTROLLER_LISTEN',
    '127.0.0.1:8081',
    'address:port such as 127.0.0.1:8081 or 0.0.0.0:8081',
    "address and port of the companion's `/healthz`, `/readyz` and `/metrics`",
    listen,
  ),
  webhookListen: optional(
    'SLIPWAY_WEBHOOK_LISTEN',
    'address:port such as 0.0.0.0:9443 or [::]:9443',
    "address and port of the companion's admission webhook; without it, there is none",
    listen,
  ),
  webhookCert: optional(
    'SLIPWAY_WEBHOOK_CERT',
    'a folder',
    "folder with the webhook's `tls.crt` and `tls.key`, as a Secret is mounted; re-read when they change; without it, the companion makes its own and tells the API server",
    file,
  ),
  kubeconfig: optional(
    'KUBECONFIG',
    `files, by ${delimiter === ':' ? 'colons' : 'semicolons'}`,
    "where the companion, and the service for `SLIPWAY_AUTH=kubernetes`, find the API server; without it, the pod's service account, or `~/.kube/config`",
    files,
  ),
} as const

/** What commands that ask a service go by. */
export const clientNames = ['url', 'token', 'tokenFile', 'caFile'] as const

/** What the companion goes by: what it does not use cannot hinder it. */
export const companionNames = [
  ...clientNames,
  'leaderNamespace',
  'workers',
  'controllerListen',
  'webhookListen',
  'webhookCert',
  'kubeconfig',
  ...traceNames,
  'logLevel',
  'logFormat',
] as const

function files(text: string): readonly string[] | undefined {
  const all = text.split(delimiter).filter(Boolean)
  return all.length > 0 ? all.map((path) => resolve(path)) : undefined
}
