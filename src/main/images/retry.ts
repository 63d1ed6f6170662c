import { findImage, retryImage } from '../../client/images.ts'
import { formOf, forms, interruption, type Command } from '../command.ts'
import { openClient } from './client.ts'
import { missing, someNames } from './names.ts'
import { eachOf, Told } from './outcomes.ts'
import { carryOut } from './waiting.ts'

export const command: Command = {
  help: `slipway images retry NAME... [--wait] [--output table|json|yaml|name]

Starts images again that are Failed or ImageLost; one that waits for a file gets a fresh URL for it. --wait shows the
progress on standard error until they are Ready, one after the other, as "slipway images create" does. Exit code 1 when one
does not exist or failed again, 2 when one cannot be started again, 130 after Ctrl-C, after which they go on in the service.
`,
  options: { wait: { type: 'boolean' } },
  choices: { output: forms },
  async run(operands, values) {
    const told = new Told(formOf(values))
    const names = someNames(operands, 'images retry')
    const client = await openClient()
    const stop = values['wait'] === true ? interruption() : null
    const never = new AbortController().signal
    const code = await eachOf(
      names,
      (name) => name,
      async (name) => {
        if (!(await findImage(client.rest, name, never))) {
          return { image: null, code: missing(name) }
        }
        const done = await carryOut(client, (signal) => retryImage(client.rest, name, signal), stop)
        if (done.image) await told.add(done.image)
        return done
      },
    )
    await told.end(names.length)
    return code
  },
}
