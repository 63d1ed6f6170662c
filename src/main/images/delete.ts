import { createInterface } from 'node:readline'
import { deleteImage, findImage, type Image } from '../../client/images.ts'
import { complain, formOf, forms, written, type Command, type Form } from '../command.ts'
import { openClient, type Client } from './client.ts'
import { missing, someNames } from './names.ts'
import { eachOf } from './outcomes.ts'
import { documentOf } from './shown.ts'

export const command: Command = {
  help: `slipway images delete NAME... [--yes] [--output table|json|yaml|name]

Deletes images, and ends when nothing of them is left; what is running for them is stopped. On a terminal it asks before,
unless --yes is given. JSON and YAML are {deleted: [NAME...]}. Exit code 1 when one does not exist, or the answer was no;
2 when one cannot be deleted. The others are deleted nevertheless.
`,
  options: { yes: { type: 'boolean', short: 'y' } },
  choices: { output: forms },
  async run(operands, values) {
    const form = formOf(values)
    const names = someNames(operands, 'images delete')
    const client = await openClient()
    const images = await allOf(client, names)
    const lost = names.length - images.length
    if (images.length > 0 && values['yes'] !== true && !(await isMeant(images))) return 1
    return Math.max(await remove(client, images, form), Math.min(1, lost))
  },
}

/** Those that there are; the others are complained of. */
async function allOf({ rest }: Client, names: readonly string[]): Promise<readonly Image[]> {
  const images: Image[] = []
  for (const name of names) {
    const image = await findImage(rest, name, new AbortController().signal)
    if (image) images.push(image)
    else missing(name)
  }
  return images
}

/** Nobody is asked where nobody could answer. */
async function isMeant(images: readonly Image[]): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true
  const names = images.map(({ name, status }) => `${name} (${status.phase})`).join(', ')
  const isYes = /^y(?:es)?$/i.test((await answered(`delete ${names}? [y/N] `)).trim())
  if (!isYes) complain('nothing is deleted')
  return isYes
}

/** A line of standard input; empty when it ends instead. */
async function answered(question: string): Promise<string> {
  // As a terminal of its own it would keep Ctrl-C from ending the program.
  const asking = createInterface({ input: process.stdin, terminal: false })
  process.stderr.write(question)
  for await (const line of asking) return line
  return ''
}

async function remove({ rest }: Client, images: readonly Image[], form: Form): Promise<number> {
  const deleted: string[] = []
  const code = await eachOf(
    images,
    ({ name }) => name,
    async ({ name, uid }) => {
      await deleteImage(rest, name, uid, new AbortController().signal)
      deleted.push(name)
      if (form === 'table') await written(`${name} is deleted\n`)
      if (form === 'name') await written(`${name}\n`)
      return { image: null, code: 0 }
    },
  )
  if (form === 'json' || form === 'yaml') await written(await documentOf({ deleted }, form))
  return code
}
