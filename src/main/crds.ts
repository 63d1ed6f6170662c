import { Refusal } from '../errors.ts'
import { print, type Command } from './command.ts'

export const command: Command = {
  help: `slipway crds [NAME]

Prints the definitions of all custom resources as YAML, or the one of that name, such as clustervirtualimages. To install and to
upgrade them: slipway crds | kubectl apply --server-side -f -
`,
  options: {},
  async run(operands) {
    const { definitionText, kinds } = await import('../sync/crd/table.ts')
    const wanted = kinds.filter(({ plural }) => operands.every((operand) => operand === plural))
    if (wanted.length > 0) return print(wanted.map(definitionText).join(''))
    const names = kinds.map(({ plural }) => plural).join(', ')
    throw new Refusal('UNSUPPORTED', `there is no such definition; name one of ${names}, or none`)
  },
}
