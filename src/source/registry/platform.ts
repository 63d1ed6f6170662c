import { z } from 'zod'
import { Refusal } from '../../errors.ts'

/** In Go's names (OCI image-spec, image-index.md, "platform object"), normalised: one machine, one spelling. */
export type Platform = {
  readonly os: string
  readonly architecture: string
  /** Null where it says no more than the architecture: `v8` of arm64, `v1` of amd64. */
  readonly variant: string | null
}

const word = z.string().regex(/^[\w.-]{0,64}$/, 'is no name of a platform')
/** What an index says of an entry, and a configuration of itself. */
export const platformFields = z.looseObject({
  os: word.optional(),
  architecture: word.optional(),
  variant: word.nullish(),
})

/** @returns null where too little is said */
export function platformOf(fields: z.output<typeof platformFields>): Platform | null {
  const { os, architecture, variant } = fields
  return os && architecture ? normalised(os, architecture, variant ?? '') : null
}

/**
 * Reads what a user writes: `linux/amd64`, `linux/arm/v7`.
 * @throws Refusal INVALID_REQUEST
 */
export function parsePlatform(text: string): Platform {
  const [, os, architecture, variant = ''] =
    /^([\w.-]{1,64})\/([\w.-]{1,64})(?:\/([\w.-]{1,64}))?$/.exec(text) ?? []
  if (os && architecture) return normalised(os, architecture, variant)
  const said = JSON.stringify(text.slice(0, 100))
  throw new Refusal('INVALID_REQUEST', `${said} is no platform; it looks like linux/amd64`)
}

export function shownPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/')
}

/** Variants aside, which configurations often leave out. */
export function isSamePlatform(one: Platform, other: Platform): boolean {
  return one.os === other.os && one.architecture === other.architecture
}

/** Other names of the same machines, as tools and users write them. */
const aliases = new Map([
  ['i386', '386'],
  ['i686', '386'],
  ['x86_64', 'amd64'],
  ['x86-64', 'amd64'],
  ['aarch64', 'arm64'],
  ['armhf', 'arm/v7'],
  ['armel', 'arm/v6'],
])

/** Variants that go without saying. */
const unsaid = new Set(['amd64/v1', 'arm64/v8', 'arm64/v8.0', 'riscv64/rva20u64'])
/** Of this architecture one has to be said. */
const usual = new Map([['arm', 'v7']])

function normalised(os: string, architecture: string, variant: string): Platform {
  const given = architecture.toLowerCase()
  const [name = '', implied] = (aliases.get(given) ?? given).split('/')
  const exact = implied ?? variant.toLowerCase().replace(/^(?=\d)/, 'v')
  const system = os.toLowerCase()
  return {
    os: system === 'macos' ? 'darwin' : system,
    architecture: name,
    variant: unsaid.has(`${name}/${exact}`) ? null : exact || (usual.get(name) ?? null),
  }
}

/** The least variant of an architecture, as a number. A newer machine runs what was made for an older one. */
const leastVariants = new Map([
  ['amd64', 1],
  ['arm', 5],
  ['arm64', 8],
])

/** The variants that a machine takes, the best first. */
export function variantsFor({ architecture, variant }: Platform): readonly (string | null)[] {
  const [, major, minor] = /^v(\d{1,2})(\.\d+)?$/.exec(variant ?? '') ?? []
  const least = leastVariants.get(architecture)
  if (major === undefined || least === undefined) return [variant]
  const next = minor ? Number(major) : Number(major) - 1
  const older = Array.from({ length: Math.max(0, next - least + 1) }, (_, nth) => next - nth)
  const named = older.map((number) => normalised('', architecture, `v${number}`).variant)
  return [variant, ...named]
}
