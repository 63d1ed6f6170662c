import { newImage } from '../../client/images.ts'
import { Refusal } from '../../errors.ts'
import { formOf, forms, interruption, textOf, type Command, type Values } from '../command.ts'
import { openClient } from './client.ts'
import { oneName } from './names.ts'
import { eachOf, Told } from './outcomes.ts'
import { dataSourceOf, optionsIn, sourceOptions } from './source.ts'
import { carryOut } from './waiting.ts'
import { wantedIn, type Wanted } from './wanted.ts'

export const command: Command = {
  help: `slipway images create NAME --url URL [--checksum sha256:HEX]... [--ca-bundle FILE] [--insecure]
                           [--username NAME --password-file FILE | --token-file FILE]
slipway images create NAME --image REFERENCE [--platform linux/amd64] [--ca-bundle FILE] [--insecure]
                           [--username NAME --password-file FILE | --authfile FILE]
slipway images create NAME --like NAME
slipway images create NAME --upload [--checksum sha256:HEX]...
slipway images create -f FILE
                           each with [--wait] [--output table|json|yaml|name]

Creates an image: from a URL, from a container image, with the bytes of another image, or of a file that is sent later;
"slipway images upload" creates and sends at once. The same again answers with the image that there is. --checksum may be
md5, sha1, sha256 or sha512. --ca-bundle is a file of certificates (PEM) that the source is trusted by, --insecure takes any
certificate.

Secrets come from files alone, - for standard input; what a command line says, everyone on the machine can read. --authfile
is one that skopeo login or docker login has written. A URL that is a secret itself goes into a file for -f.

-f takes YAML or JSON, one document or several, - for standard input: bodies of POST /api/v1/images, or ClusterVirtualImages
whose source needs no secret.

--wait shows the progress on standard error until the image is Ready: exit code 0, or 1 when it failed or was deleted. After
Ctrl-C the import goes on in the service, and the exit code is 130.
`,
  options: {
    ...sourceOptions,
    file: { type: 'string', short: 'f' },
    wait: { type: 'boolean' },
  },
  choices: { like: 'images', output: forms, url: [], image: [], checksum: [], username: [] },
  async run(operands, values) {
    const form = formOf(values)
    const wanted = await wantedBy(operands, values)
    const client = await openClient()
    const stop = values['wait'] === true ? interruption() : null
    const told = new Told(form)
    const code = await eachOf(
      wanted,
      ({ name }) => name,
      async (each) => {
        const done = await carryOut(client, (signal) => newImage(client.rest, each, signal), stop)
        if (done.image) await told.add(done.image)
        return done
      },
    )
    await told.end(wanted.length)
    return code
  },
}

async function wantedBy(operands: readonly string[], values: Values): Promise<readonly Wanted[]> {
  const file = textOf(values, 'file')
  if (file === undefined) {
    return [{ name: oneName(operands, 'images create'), dataSource: await dataSourceOf(values) }]
  }
  if (operands.length > 0 || optionsIn(values).length > 0) {
    throw new Refusal('UNSUPPORTED', 'what -f names says all; give no name and no source beside it')
  }
  return await wantedIn(file)
}
