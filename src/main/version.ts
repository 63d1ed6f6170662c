import { none, print, type Command } from './command.ts'

export const command: Command = {
  help: `slipway version

Prints the version.
`,
  options: {},
  async run(operands) {
    none(operands, 'version')
    const { programVersion } = await import('../app/version.ts')
    return print(`${programVersion()}\n`)
  },
}
