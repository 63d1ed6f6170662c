import { z } from 'zod'
import type { Image } from '../catalog/images.ts'
import { containerImageSection, httpSection, type DataSource } from '../image/data-source.ts'
import { withoutUserInfo } from '../source/request.ts'
import type { ServerKey } from './server-key.ts'

/** What of a data source is a secret: it is kept sealed until the image is Ready or Failed, and never shown. */
const secretsSchema = z.strictObject({
  http: httpSection.pick({ auth: true, url: true }).optional(),
  containerImage: containerImageSection.pick({ auth: true }).optional(),
})
type Secrets = z.output<typeof secretsSchema>

/**
 * A data source in two parts: what may be shown, and what may not. Of a URL that is the user-info, and the query, which may
 * be a signature. A fragment goes nowhere and is left out.
 */
export function splitSecrets(source: DataSource): { shown: DataSource; secrets: Secrets | null } {
  const { http, containerImage } = source
  if (http) {
    const { auth, ...rest } = http
    const shown = { ...source, http: { ...rest, url: shownUrl(http.url) } }
    const isSecret = auth || hasSecrets(new URL(http.url))
    return { shown, secrets: isSecret ? { http: { url: http.url, ...(auth && { auth }) } } : null }
  }
  if (containerImage?.auth) {
    const { auth, ...rest } = containerImage
    return { shown: { ...source, containerImage: rest }, secrets: { containerImage: { auth } } }
  }
  return { shown: source, secrets: null }
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

/** The data source as the user gave it. */
export function withSecrets(image: Image, key: ServerKey): DataSource {
  const { dataSource: source } = image
  if (!image.secrets) return source
  const secrets = secretsSchema.parse(JSON.parse(key.unseal(image.secrets, image.uid)))
  return {
    ...source,
    ...(source.http && { http: { ...source.http, ...secrets.http } }),
    ...(source.containerImage && {
      containerImage: { ...source.containerImage, ...secrets.containerImage },
    }),
  }
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
