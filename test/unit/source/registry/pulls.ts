import { buffer } from 'node:stream/consumers'
import type { ContainerImageSection } from '../../../../src/image/data-source.ts'
import { parseReference } from '../../../../src/image/reference.ts'
import { openRegistry, type RegistryOptions } from '../../../../src/source/registry/client.ts'
import type { BlobPart, Registry } from '../../../../src/source/registry/registry.ts'
import { startHostileRegistry, type HostileRegistry } from '../../../support/hostile-registry.ts'
import type { NeighbourOptions } from '../../../support/http-neighbour.ts'
import { deadline, loopback } from '../visits.ts'

export type Pull = {
  readonly section?: Partial<ContainerImageSection>
  readonly options?: Partial<RegistryOptions>
}

/** A client for an image; it does not wait between tries unless `options` say so. */
export function client(image: string, { section = {}, options = {} }: Pull = {}): Registry {
  return openRegistry(
    parseReference(image),
    { image, ...section },
    {
      rules: loopback,
      userAgent: 'slipway/test',
      insecureRegistries: [],
      pause: async () => {},
      ...options,
    },
  )
}

export async function readBlob(registry: Registry, part: BlobPart, offset = 0): Promise<Buffer> {
  return await buffer(await registry.blob(part, offset, deadline()))
}

/** Runs a test beside a registry of its own, and fails when a connection is left open. */
export async function besideRegistry(
  run: (registry: HostileRegistry) => Promise<void>,
  options?: NeighbourOptions,
): Promise<void> {
  await using registry = await startHostileRegistry(options)
  await run(registry)
  await registry.neighbour.idle()
}

/** Notes what would have been waited. */
export function impatient() {
  const pauses: number[] = []
  return { pauses, pause: async (milliseconds: number) => void pauses.push(milliseconds) }
}

export const login = (username: string, password: string) => ({ auth: { username, password } })
