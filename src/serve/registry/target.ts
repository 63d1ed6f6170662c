import { Refusal } from '../../errors.ts'
import { isRepository } from '../../image/name.ts'
import { shownPath } from '../methods.ts'

/** Something of a repository, by tag or digest. */
export type Named = { readonly repository: string; readonly reference: string }

/** What a path below `/v2/` means. Repository names hold slashes, so the path is taken apart from its end. */
export type Target =
  | (Named & { readonly kind: 'blob' })
  | (Named & { readonly kind: 'manifest' })
  | (Named & { readonly kind: 'referrers' })
  /** `id` is empty for the place where uploads are begun. */
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'catalog' }

const pattern =
  /^\/v2\/(?<repository>.+)\/(?:(?<kind>manifests|blobs|referrers)\/(?<reference>[^/]+)|(?<uploads>blobs\/uploads\/)(?<id>[^/]*)|tags\/list)$/
const kinds = { manifests: 'manifest', blobs: 'blob', referrers: 'referrers' } as const

/** @throws Refusal NOT_FOUND, NAME_INVALID */
export function targetOf(path: string): Target {
  if (path === '/v2/_catalog') return { kind: 'catalog' }
  const found = pattern.exec(decoded(path))?.groups
  const repository = found?.['repository']
  if (!found || repository === undefined) throw nothing(path)
  if (!isRepository(repository)) {
    throw new Refusal('NAME_INVALID', `"${repository.slice(0, 300)}" is no repository name`)
  }
  const { kind, reference, uploads, id } = found
  if (uploads !== undefined) return { kind: 'upload', repository, id: id ?? '' }
  if (reference === undefined) return { kind: 'tags', repository }
  // Some clients leave out the slash at the end.
  if (kind === 'blobs' && reference === 'uploads') return { kind: 'upload', repository, id: '' }
  return {
    kind: kinds[kind === 'manifests' || kind === 'blobs' ? kind : 'referrers'],
    repository,
    reference,
  }
}

/** Some clients escape the colon of a digest. */
function decoded(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

export function nothing(path: string): Refusal {
  return new Refusal('NOT_FOUND', `there is nothing at ${shownPath(path)}`)
}
