import { hostname } from 'node:os'
import { hostPort, type Listen, type Settings } from '../env.ts'
import type { Reference } from '../image/reference.ts'

/** What the addresses in a status begin with. */
export type PublicNames = {
  readonly external: string
  readonly inCluster: string
  readonly registryHost: string
}

/** @param address the one that was taken, once the listener has it */
export function publicNames(settings: Settings, address: Listen): PublicNames {
  const scheme = settings.tlsCert !== null ? 'https' : 'http'
  const external = settings.publicUrl ?? `${scheme}://${hostPort(reachable(address))}`
  return {
    external,
    inCluster: settings.internalUrl ?? external,
    registryHost: settings.registryHost ?? new URL(external).host,
  }
}

/** The repository of an image reference that names this very service; null when it names another one. */
export function ownRepository(
  { registry, repository }: Reference,
  { external, inCluster, registryHost }: PublicNames,
): string | null {
  const { protocol } = new URL(external)
  const hosts = [external, inCluster, `${protocol}//${registryHost}`]
  const asked = URL.parse(`${protocol}//${registry}`)?.host
  return hosts.some((url) => URL.parse(url)?.host === asked) ? repository : null
}

/** An unspecified address can be listened on, not asked for. */
function reachable({ host, port }: Listen): Listen {
  return { host: host === '0.0.0.0' || host === '::' ? hostname() : host, port }
}
