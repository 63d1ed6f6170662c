import type { DataSource } from './data-source.ts'
import { parseReference } from './reference.ts'

/** The host that an image is fetched from, with any port but the usual one; null when nothing is fetched. */
export function originOf({ http, containerImage }: DataSource): string | null {
  if (http) return new URL(http.url).host
  return containerImage ? parseReference(containerImage.image).registry : null
}
