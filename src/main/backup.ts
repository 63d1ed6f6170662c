import { join } from 'node:path'
import { Refusal } from '../errors.ts'
import { print, withSettings, type Command } from './command.ts'

export const command: Command = {
  help: `slipway backup FILE [--force]

Writes the catalog of SLIPWAY_DATA_DIR into one file, as it is at one moment, whether the service runs or not. A file that
is there already is replaced with --force alone. The file is checked before it gets its name.

To restore it, stop the service, put the file in the place of catalog.sqlite, remove catalog.sqlite-wal and
catalog.sqlite-shm, and run "slipway rebuild" before the next start: it adds what is newer than the backup.
`,
  options: { force: { type: 'boolean' } },
  async run(operands, values) {
    const [to, ...others] = operands
    if (to === undefined || others.length > 0) {
      throw new Refusal('UNSUPPORTED', 'give exactly one file; try slipway backup --help')
    }
    const { dataDir } = await withSettings()
    const { backUp } = await import('../catalog/backup.ts')
    const path = join(dataDir, 'catalog.sqlite')
    const size = await backUp({ path, to, force: values['force'] === true })
    return print(`${to} has the catalog of ${dataDir} (${size} bytes)\n`)
  },
}
