import { optional } from './setting.ts'
import { places, registries } from './texts.ts'

/** Where images may come from. */
export const sourceSettings = {
  sourceDeny: optional(
    'SLIPWAY_SOURCE_DENY',
    'CIDRs, addresses and host globs, by commas',
    'where imports may not go, beside loopback, link-local and cloud metadata',
    places,
  ),
  sourceAllow: optional(
    'SLIPWAY_SOURCE_ALLOW',
    'CIDRs, addresses and host globs, by commas',
    'lifts refusals; the longest prefix wins, at equal length ALLOW',
    places,
  ),
  insecureRegistries: optional(
    'SLIPWAY_INSECURE_REGISTRIES',
    'hosts with an optional port, by commas',
    'registries that images may be fetched from over plain HTTP, too, where they do not speak TLS',
    registries,
  ),
} as const
