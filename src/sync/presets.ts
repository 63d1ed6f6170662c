import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { load } from 'js-yaml'
import { z } from 'zod'
import { Bug } from '../errors.ts'

/** The classes that the companion brings in once, each in a file of its name. */
export const presetNames = ['generic', 'host', 'host-passthrough'] as const

const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.literal('VirtualMachineClass'),
  metadata: z.looseObject({ name: z.enum(presetNames) }),
})
export type Preset = z.output<typeof manifest>

/** The manifests in `deploy/presets`, as they are sent to the API server. @throws Bug where they are missing */
export async function readPresets(): Promise<readonly Preset[]> {
  const folder = presetsFolder()
  return await Promise.all(
    presetNames.map(async (name) =>
      manifest.parse(load(await readFile(new URL(`${name}.yaml`, folder), 'utf8'))),
    ),
  )
}

/** `deploy/` lies beside `src/` in a checkout and in the image, and one folder further up in a package. */
function presetsFolder(): URL {
  const places = ['../../deploy/presets/', '../../../deploy/presets/']
  const folder = places.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url))
  if (!folder) throw new Bug('deploy/presets is neither beside the program nor above it')
  return folder
}
