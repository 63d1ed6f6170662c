import { z } from 'zod'
import type { Image } from '../catalog/images.ts'
import { containerImageSection, httpSection, type DataSource } from '../image/data-source.ts'
import type { ServerKey } from './server-key.ts'

/** What of a data source is a secret: it is kept sealed until the image is Ready or Failed, and never shown. */
const secretsSchema = z.strictObject({
  http: httpSection.pick({ auth: true, url: true }).optional(),
  containerImage: containerImageSection.pick({ auth: true }).optional(),
})
type Secrets = z.output<typeof secretsSchema>

/** A data source in two parts: what may be shown, and what may not. */
export function splitSecrets(source: DataSource): { shown: DataSource; secrets: Secrets | null } {
  const { http, containerImage } = source
  if (http && (http.auth || hasUserInfo(http.url))) {
    const { auth, ...rest } = http
    const shown = { ...source, http: { ...rest, url: withoutUserInfo(http.url) } }
    return { shown, secrets: { http: { url: http.url, ...(auth && { auth }) } } }
  }
  if (containerImage?.auth) {
    const { auth, ...rest } = containerImage
    return { shown: { ...source, containerImage: rest }, secrets: { containerImage: { auth } } }
  }
  return { shown: source, secrets: null }
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

function hasUserInfo(url: string): boolean {
  const parsed = URL.parse(url)
  return Boolean(parsed && (parsed.username || parsed.password))
}

function withoutUserInfo(text: string): string {
  const url = URL.parse(text)
  if (!url || !hasUserInfo(text)) return text
  url.username = ''
  url.password = ''
  return url.href
}
