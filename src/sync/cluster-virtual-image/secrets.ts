import { z } from 'zod'
import { Refusal } from '../../errors.ts'
import { containerImageSection, httpSection } from '../../image/data-source.ts'
import type { ClusterApi } from '../../kube/cluster-api.ts'
import type { SecretName } from '../resource.ts'

/** Credentials as REST takes them, or why there are none: a sentence without anything that is secret. */
export type Credentials = { readonly auth: object } | { readonly problem: string }

const secretSchema = z.object({
  type: z.string().optional(),
  data: z.record(z.string(), z.string()).default({}),
})
type Secret = z.output<typeof secretSchema>

/**
 * For a URL: the keys `username` and `password`, or `token`, or `headers` with a header in each line.
 * @throws Outage CLUSTER_UNAVAILABLE
 */
export async function httpCredentials(
  name: SecretName,
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<Credentials> {
  const secret = await read(name, api, signal)
  if (typeof secret === 'string') return { problem: secret }
  if (secret.type === accountToken) {
    const why = `is of the type ${accountToken}, which is shown to no source`
    return { problem: `${called(name)} ${why}; name another one` }
  }
  const auth = httpAuth(secret)
  if (typeof auth === 'string') return { problem: `${called(name)} ${auth}` }
  const { error } = httpSection.shape.auth.safeParse(auth)
  return error ? { problem: `${called(name)} ${faultOf(error)}` } : { auth }
}

/** For a container image: a secret of the type kubernetes.io/dockerconfigjson. Throws as `httpCredentials`. */
export async function pullCredentials(
  name: SecretName,
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<Credentials> {
  const secret = await read(name, api, signal)
  if (typeof secret === 'string') return { problem: secret }
  const config = text(secret, dockerConfig)
  if (config === null) {
    const wanted = 'create it with "kubectl create secret docker-registry"'
    return { problem: `${called(name)} has no key "${dockerConfig}"; ${wanted}` }
  }
  const auth = { [dockerConfig]: config }
  const { error } = containerImageSection.shape.auth.safeParse(auth)
  if (!error) return { auth }
  return {
    problem: `the key "${dockerConfig}" of ${called(name)} cannot be used: it must be JSON like {"auths": {"registry.example.com": {"auth": "…"}}}`,
  }
}

/** Whoever may name a secret would come to the rights of that account. */
const accountToken = 'kubernetes.io/service-account-token'
const dockerConfig = '.dockerconfigjson'

/** @returns a sentence when it cannot be had */
async function read(
  { namespace, name }: SecretName,
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<Secret | string> {
  const path = `/api/v1/namespaces/${namespace}/secrets/${name}`
  try {
    const { data } = secretSchema.safeParse(await api.get(path, {}, signal))
    return data ?? `${called({ namespace, name })} cannot be read; create it anew`
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.code === 'CLUSTER_NOT_FOUND') {
      return `there is no secret "${name}" in the namespace "${namespace}"; create it`
    }
    return `${called({ namespace, name })} may not be read by Slipway (${error.message}); allow its service account to get it`
  }
}

/** @returns what is wrong, behind the secret's name */
function httpAuth(secret: Secret): object | string {
  const [username, password] = [text(secret, 'username'), text(secret, 'password')]
  const [bearer, headers] = [text(secret, 'token'), text(secret, 'headers')]
  if ((username === null) !== (password === null)) {
    return `has no key "${username === null ? 'username' : 'password'}", which belongs to the other one; add it`
  }
  const lines = headers === null ? null : headersIn(headers)
  if (typeof lines === 'string') return lines
  const auth = {
    ...(username !== null && { basic: { username, password } }),
    ...(bearer !== null && { bearer }),
    ...(lines && Object.keys(lines).length > 0 && { headers: lines }),
  }
  if (Object.keys(auth).length > 0) return auth
  return 'has neither the keys "username" and "password", nor "token", nor "headers"; add those that the source asks for'
}

/** Lines such as `Name: value`. */
function headersIn(text: string): Record<string, string> | string {
  const headers: Record<string, string> = {}
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const [, name, value] = /^([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line) ?? []
    if (name === undefined || value === undefined) {
      return `has a key "headers" whose line ${index + 1} is not like "Name: value"; mend it`
    }
    headers[name] = value
  }
  return headers
}

/** A line break at the end comes from the editor or from `echo`, and is never meant. */
function text({ data }: Secret, key: string): string | null {
  const value = data[key]
  if (value === undefined) return null
  return Buffer.from(value, 'base64')
    .toString()
    .replace(/(?:\r?\n)+$/, '')
}

/** The first fault, by the key of the secret that it is in. */
function faultOf(error: z.ZodError): string {
  const [issue] = error.issues
  const message = issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message
  const key = keys[String(issue?.path[0])] ?? 'headers'
  if (issue?.path.length === 0) return `cannot be used: ${message}`
  return `has a key "${key}" that cannot be used: it ${message}`
}

const keys: { readonly [field: string]: string } = {
  basic: 'username" or "password',
  bearer: 'token',
}

function called({ namespace, name }: SecretName): string {
  return `the secret "${name}" in the namespace "${namespace}"`
}
