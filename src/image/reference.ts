import { Refusal } from '../errors.ts'
import { digestText, isDigest, type Digest } from './digest.ts'
import { isRepository, isTag, repositoryText, tagText } from './name.ts'

/** An image in a registry, as docker writes it: `[host[:port]/]repository[:tag][@digest]`. */
export type Reference = {
  /** `host` or `host:port`, in lower case. */
  readonly registry: string
  readonly repository: string
  /** Shown only, where there is a digest too. */
  readonly tag: string | null
  readonly digest: Digest | null
}

/**
 * Reads a reference as docker does: `ubuntu` is `docker.io/library/ubuntu:latest`.
 * @throws Refusal INVALID_REQUEST
 */
export function parseReference(text: string): Reference {
  const read = readReference(text)
  if (typeof read !== 'string') return read
  const path = 'containerImage.image'
  throw new Refusal('INVALID_REQUEST', `${path} ${read}`, { fields: [{ path, message: read }] })
}

/** Why a text is no reference, as the end of a sentence; null when it is one. Repeats none of it: it may hold a password. */
export function referenceProblem(text: string): string | null {
  const read = readReference(text)
  return typeof read === 'string' ? read : null
}

/** All that a reference says. */
export function shownReference(reference: Reference): string {
  const { tag, digest } = reference
  const end = `${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@${digest}`}`
  return `${repositoryName(reference)}${end}`
}

/** The repository with its registry. One of a single word is told from a part of a repository by upper case alone. */
export function repositoryName({ registry, repository }: Reference): string {
  return `${isHost(registry) ? registry : registry.toUpperCase()}/${repository}`
}

const example = 'write it as in registry.example.com/team/image:tag'

function readReference(text: string): Reference | string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)?([^]*)$/i.exec(text) ?? []
  if (scheme !== '' && scheme.toLowerCase() !== 'docker://') {
    return `must be without "${scheme.slice(0, 20)}"; ${example}`
  }
  const [name = '', digest, ...more] = rest.split('@')
  if (more.length > 0 || (digest !== undefined && !isDigest(digest))) {
    return 'has a digest that is neither sha256: with 64 nor sha512: with 128 lower-case hex digits'
  }
  const { path, tag } = splitTag(name)
  if (tag !== null && !isTag(tag)) {
    return 'has a tag that is none; a tag has up to 128 letters, digits, dots, hyphens and underscores, and begins with no dot or hyphen'
  }
  const place = placeOf(path)
  if (typeof place === 'string') return place
  const usual = digest === undefined ? 'latest' : null
  return { ...place, tag: tag ?? usual, digest: digest ?? null }
}

/** A colon before the last slash belongs to a port. */
function splitTag(name: string): { readonly path: string; readonly tag: string | null } {
  const colon = name.lastIndexOf(':')
  if (colon <= name.lastIndexOf('/')) return { path: name, tag: null }
  return { path: name.slice(0, colon), tag: name.slice(colon + 1) }
}

type Place = Pick<Reference, 'registry' | 'repository'>

function placeOf(path: string): Place | string {
  const { host, rest } = splitHost(path)
  const registry = registryOf(host)
  if (registry === null) {
    return `begins with something that is no registry: a host name or address with an optional port from 1 to 65535; ${example}`
  }
  const repository = registry === dockerHub && !rest.includes('/') ? `library/${rest}` : rest
  const problem = repositoryProblem(rest, repository)
  return problem ?? { registry, repository }
}

const dockerHub = 'docker.io'

function isHost(part: string): boolean {
  return /[.:A-Z]/.test(part) || part === 'localhost'
}

/** The first part is a host when it cannot be a part of a repository on docker.io. */
function splitHost(path: string): { readonly host: string; readonly rest: string } {
  const slash = path.indexOf('/')
  const first = path.slice(0, Math.max(slash, 0))
  return isHost(first)
    ? { host: first, rest: path.slice(slash + 1) }
    : { host: dockerHub, rest: path }
}

const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?'
const anyLabel = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?'
const anyHost = `(?:${anyLabel}(?:\\.${anyLabel})*|\\[[0-9A-Fa-f:]+\\])(?::[0-9]{1,5})?`

/**
 * What every reference matches, in what all engines for regular expressions have in common, for a schema. Some that match are
 * none: `referenceProblem` knows.
 */
export const referencePattern = `^(?:[dD][oO][cC][kK][eE][rR]://)?(?:${anyHost}/)?${repositoryText}(?::${tagText})?(?:@${digestText})?$`

const hostPort = new RegExp(`^(${label}(?:\\.${label})*|\\[[0-9a-f:]+\\])(?::(\\d{1,5}))?$`)

function registryOf(text: string): string | null {
  const [, host, digits] = hostPort.exec(text.toLowerCase()) ?? []
  if (host === undefined || !URL.canParse(`https://${host}`)) return null
  if (digits === undefined) return host === 'index.docker.io' ? dockerHub : host
  const port = Number(digits)
  return port >= 1 && port <= 65_535 ? `${host}:${port}` : null
}

function repositoryProblem(written: string, repository: string): string | null {
  if (/^[0-9a-f]{64}$/.test(written)) return `is the ID of an image; ${example}`
  if (isRepository(repository)) return null
  if (isRepository(repository.toLowerCase())) {
    return 'has upper-case letters in its repository; repositories are in lower case'
  }
  return repository.length > 255
    ? `has a repository of ${repository.length} characters; 255 are the most`
    : `has a repository that is none; ${example}`
}
