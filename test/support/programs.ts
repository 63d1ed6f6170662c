import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

function isInstalled(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * Whether tests that run `program` may run; use as `describe.skipIf(!needs('qemu-img', 'apt-get install qemu-utils'))`.
 * A person's machine may lack it: then one line says how to get it. On CI a missing referee is a failure, never a skip.
 * @throws Error when it is missing and CI is set
 */
export function needs(program: string, install: string): boolean {
  if (isInstalled(program)) return true
  const line = `${program} is not installed, so the tests that need it are skipped; to run them: ${install}`
  if (process.env['CI']) throw new Error(line)
  console.warn(line)
  return false
}
