import { z } from 'zod'

/**
 * The document `.dockerconfigjson` (docker's `config.json`, Kubernetes' secrets of the type kubernetes.io/dockerconfigjson),
 * as far as it holds credentials. What names a program on somebody's machine (`credsStore`, `credHelpers`) is passed over.
 */
const entrySchema = z.looseObject({
  /** Base64 of `user:password`. */
  auth: z.string().refine(isLogin, 'is not base64 of user:password').nullish(),
  username: z.string().nullish(),
  password: z.string().nullish(),
  identitytoken: z.string().nullish(),
  registrytoken: z.string().nullish(),
})

export const dockerConfigSchema = z.looseObject({ auths: z.record(z.string(), entrySchema) })

export type DockerConfig = z.output<typeof dockerConfigSchema>
export type DockerConfigEntry = z.output<typeof entrySchema>

function isLogin(auth: string): boolean {
  return auth === '' || loginOf(auth) !== null
}

/** The user and the password, which may hold colons, of an `auth`; null when it is none. */
export function loginOf(auth: string): { username: string; password: string } | null {
  const text = Buffer.from(auth, 'base64').toString()
  const colon = text.indexOf(':')
  if (colon < 0) return null
  // Docker writes passwords with zeros behind them here and there, and takes them off again.
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
}

/** JSON, or base64 of it as it lies in a Kubernetes secret. */
export function readDockerConfig(text: string) {
  return dockerConfigSchema.safeParse(jsonIn(text))
}

/** Why a text is no such document, as the end of a sentence; null when it is one. Repeats none of it. */
export function dockerConfigProblem(text: string): string | null {
  const { error } = readDockerConfig(text)
  if (!error) return null
  const [issue] = error.issues
  const field = issue?.path.at(-1)
  if (field === 'auth') return 'holds an "auth" that is not base64 of user:password'
  return 'must be JSON like {"auths": {"registry.example.com": {"auth": "…"}}}, or base64 of it'
}

function jsonIn(text: string): unknown {
  const json = text.trimStart().startsWith('{') ? text : Buffer.from(text, 'base64').toString()
  try {
    return JSON.parse(json)
  } catch {
    // Whoever asked for JSON is told by the schema that there is none.
    return undefined
  }
}
