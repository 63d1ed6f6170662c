import { loginOf, type DockerConfig, type DockerConfigEntry } from '../../image/docker-config.ts'
import type { Reference } from '../../image/reference.ts'
import { ofLogin, type Credentials } from './credentials.ts'

/**
 * The credentials that a document has for a reference: those of the longest path that leads to it, as containers/image
 * does it (`host/a/b` before `host/a` before `host`), then of the key that spells out most of the host. An entry without
 * credentials, as docker leaves it beside a `credsStore`, counts for nothing.
 */
export function credentialsIn({ auths }: DockerConfig, reference: Reference): Credentials | null {
  const fitting = Object.entries(auths)
    .map(([key, entry]) => ({ key: keyOf(key), credentials: credentialsOf(entry) }))
    .filter(({ key, credentials }) => credentials !== null && leadsTo(key, reference))
  const [best] = fitting.toSorted(
    (a, b) => b.key.path.length - a.key.path.length || weight(b.key) - weight(a.key),
  )
  return best?.credentials ?? null
}

type Key = { readonly host: string; readonly path: readonly string[] }

/** Docker's and Kubernetes' spellings: with a scheme, with the version of the API, with slashes behind. */
function keyOf(text: string): Key {
  const parts = text
    .trim()
    .replace(/^https?:\/\//i, '')
    .split('/')
    .filter((part) => part !== '')
  const [host = '', ...path] = parts
  const isVersion = path[0] === 'v1' || path[0] === 'v2'
  return { host: registryOf(host.toLowerCase()), path: isVersion ? path.slice(1) : path }
}

function registryOf(host: string): string {
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host
}

function leadsTo({ host, path }: Key, { registry, repository }: Reference): boolean {
  const parts = repository.split('/')
  return isHost(host, registry) && path.every((part, at) => part === parts[at])
}

/** Kubernetes' globs: a `*` stands for any characters of one label. */
function isHost(glob: string, host: string): boolean {
  if (!glob.includes('*')) return glob === host
  const [wanted, given] = [glob.split('.'), host.split('.')]
  return (
    wanted.length === given.length && wanted.every((label, at) => isLabel(label, given[at] ?? ''))
  )
}

/** Each part where it comes first: as a regular expression it would take for ever with many stars. */
function isLabel(glob: string, label: string): boolean {
  const [first = '', ...rest] = glob.split(/\*+/)
  const last = rest.pop()
  if (last === undefined) return glob === label
  let at = first.length
  if (!label.startsWith(first)) return false
  for (const part of rest) {
    const found = label.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  const stars = label.slice(first.length, label.length - last.length)
  return label.length - last.length >= at && label.endsWith(last) && !stars.includes(':')
}

function weight({ host }: Key): number {
  return host.includes('*') ? host.replaceAll('*', '').length : Infinity
}

function credentialsOf(entry: DockerConfigEntry): Credentials | null {
  if (entry.registrytoken) return { kind: 'bearer', token: entry.registrytoken }
  if (entry.identitytoken) return { kind: 'identity', token: entry.identitytoken }
  const login = entry.auth ? loginOf(entry.auth) : null
  return ofLogin(login?.username ?? entry.username ?? '', login?.password ?? entry.password ?? '')
}
