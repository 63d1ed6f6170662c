import type { Settings } from '../env.ts'
import { compileRules } from '../source/address-rules.ts'
import { Bandwidth } from '../source/bandwidth.ts'
import { compileProxies } from '../source/proxies.ts'
import type { SourceOptions } from '../source/table.ts'
import { userAgent } from './version.ts'

/** How sources are spoken to; none of them is taken for this service's own. */
export function sourceOptions(settings: Settings): SourceOptions {
  return {
    rules: addressRules(settings),
    proxies: proxies(settings),
    userAgent: userAgent(),
    insecureRegistries: settings.insecureRegistries ?? [],
    // A layer may hold other files beside the disk.
    maxLayer: 2 * settings.maxImageSize,
    own: () => null,
  }
}

export function importBandwidth({ importBandwidth: bytes }: Settings): Bandwidth | null {
  return bytes === null ? null : new Bandwidth(bytes)
}

function addressRules({ sourceDeny, sourceAllow }: Settings) {
  return compileRules({ deny: sourceDeny ?? [], allow: sourceAllow ?? [] })
}

export function proxies({ httpProxy: http, httpsProxy: https, noProxy }: Settings) {
  return compileProxies({ http, https, except: noProxy ?? [] })
}
