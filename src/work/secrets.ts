import { z } from 'zod'
import type { Image } from '../catalog/images.ts'
import { containerImageSection, httpSection, type DataSource } from '../image/data-source.ts'
import { withoutUserInfo } from '../source/request.ts'
import type { ServerKey } from './server-key.ts'

/** Credentials of a data source: they are kept sealed until the image is Ready or Failed, and never shown. */
const secretsSchema = z.strictObject({
  http: httpSection.pick({ auth: true, url: true }).partial().optional(),
  containerImage: containerImageSection.pick({ auth: true }).optional(),
})
type Secrets = z.output<typeof secretsSchema>

type Split = {
  /** What may be shown. */
  readonly shown: DataSource
  readonly secrets: Secrets | null
  /** Of the URL: it may be a signature, so it is sealed and never shown, but `retry` needs it as long as the image is there. */
  readonly query: string | null
}

/** A data source in its parts. A fragment of a URL goes nowhere and is left out. */
export function splitSecrets(source: DataSource): Split {
  const { http, containerImage } = source
  if (http) {
    const { auth, ...rest } = http
    const { username, password, search } = new URL(http.url)
    const hasUser = username !== '' || password !== ''
    const credentials = { ...(auth && { auth }), ...(hasUser && { url: http.url }) }
    return {
      shown: { ...source, http: { ...rest, url: shownUrl(http.url) } },
      secrets: auth || hasUser ? { http: credentials } : null,
      query: search === '' ? null : search,
    }
  }
  if (containerImage?.auth) {
    const { auth, ...rest } = containerImage
    const shown = { ...source, containerImage: rest }
    return { shown, secrets: { containerImage: { auth } }, query: null }
  }
  return { shown: source, secrets: null, query: null }
}

/**
 * Stands for the whole URL of an HTTP source, with its query and without its user-info: the same for the same URL alone, and
 * it tells nothing of it to those who do not have the server's key. Null for other sources.
 */
export function urlKeyOf({ http }: DataSource, key: ServerKey): string | null {
  return http ? key.urlKey(withoutUserInfo(new URL(http.url)).href) : null
}

export function sealSecrets(secrets: Secrets | null, imageUid: string, key: ServerKey) {
  return secrets && key.seal(JSON.stringify(secrets), imageUid)
}

export function sealQuery(query: string | null, imageUid: string, key: ServerKey) {
  return query === null ? null : key.seal(query, imageUid)
}

/** The data source as the user gave it. */
export function withSecrets(image: Image, key: ServerKey): DataSource {
  const source = withQuery(image, key)
  if (!image.secrets) return source
  const secrets = secretsSchema.parse(JSON.parse(key.unseal(image.secrets, image.uid)))
  const { auth, url } = secrets.http ?? {}
  return {
    ...source,
    ...(source.http && { http: { ...source.http, ...(auth && { auth }), ...(url && { url }) } }),
    ...(source.containerImage && {
      containerImage: { ...source.containerImage, ...secrets.containerImage },
    }),
  }
}

function withQuery({ dataSource, sealedQuery, uid }: Image, key: ServerKey): DataSource {
  const { http } = dataSource
  if (!http || !sealedQuery) return dataSource
  const url = new URL(http.url)
  url.search = key.unseal(sealedQuery, uid)
  return { ...dataSource, http: { ...http, url: url.href } }
}

function hasSecrets({ username, password, search }: URL): boolean {
  return username !== '' || password !== '' || search !== ''
}

/** As it was written, when there is nothing to leave out. */
function shownUrl(text: string): string {
  const url = new URL(text)
  if (!hasSecrets(url) && url.hash === '') return text
  const shown = withoutUserInfo(url)
  shown.search = ''
  return shown.href
}
