import { findImage } from '../../client/images.ts'
import { formOf, forms, type Command } from '../command.ts'
import { openClient } from './client.ts'
import { missing, oneName } from './names.ts'
import { showImage } from './shown.ts'

export const command: Command = {
  help: `slipway images get NAME [--output table|json|yaml|name]

Shows all that is known of an image: first what is the matter and what to do. JSON and YAML are what GET
/api/v1/images/NAME shows. Exit code 1 when there is no such image.
`,
  options: {},
  choices: { output: forms },
  async run(operands, values) {
    const form = formOf(values)
    const name = oneName(operands, 'images get')
    const { rest } = await openClient()
    const image = await findImage(rest, name, new AbortController().signal)
    if (!image) return missing(name)
    await showImage(image, form)
    return 0
  },
}
