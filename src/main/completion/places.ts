import { outputs, type Command } from '../command.ts'
import { isGroup, type Entry, type Group } from '../commands.ts'

/** What may stand somewhere: words, names of images, files; several of them where there are several operands. */
export type Offer = {
  readonly words: readonly string[]
  readonly images: boolean
  readonly files: boolean
}

export type Option = {
  readonly name: string
  readonly short: string | null
  /** Null for one that takes nothing. */
  readonly offer: Offer | null
}

/** What may come after the words of a command. */
export type Place = {
  /** `images ls`; empty for the program itself. */
  readonly path: string
  readonly commands: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly Option[]
  readonly operands: Offer
}

const nothing: Offer = { words: [], images: false, files: false }

/** All places that there are, the program itself first. */
export async function placesIn(entries: readonly Entry[]): Promise<readonly Place[]> {
  return await ofGroup('', { entries })
}

async function ofGroup(path: string, { entries }: Pick<Group, 'entries'>): Promise<Place[]> {
  const own: Place = { path, commands: entries, options: [help], operands: nothing }
  const below = await Promise.all(entries.map((entry) => ofEntry(path, entry)))
  return [own, ...below.flat()]
}

async function ofEntry(path: string, { name, operands, load }: Entry): Promise<Place[]> {
  const { command } = await load()
  const own = `${path} ${name}`.trimStart()
  if (isGroup(command)) return await ofGroup(own, command)
  return [{ path: own, commands: [], options: optionsOf(command), operands: offerOf(operands) }]
}

const help: Option = { name: 'help', short: 'h', offer: null }

function optionsOf({ options, choices = {} }: Command): Option[] {
  const own = Object.entries(options).map(([name, { type, short = null }]) => ({
    name,
    short,
    offer: type === 'boolean' ? null : chosen(choices[name]),
  }))
  const output = { name: 'output', short: 'o', offer: chosen(choices['output'] ?? outputs) }
  return [...own, output, help]
}

function chosen(choice: readonly string[] | 'images' | undefined): Offer {
  if (choice === undefined) return { ...nothing, files: true }
  return choice === 'images' ? { ...nothing, images: true } : { ...nothing, words: choice }
}

/** Of what stands behind a command in a line of help. */
function offerOf(operands: string): Offer {
  const each = operands.split(' ')
  return {
    words: each.flatMap((one) => (/^[a-z]+(?:\|[a-z]+)+$/.test(one) ? one.split('|') : [])),
    images: each.some((one) => /^\[?NAME(?:\.\.\.)?\]?$/.test(one)),
    files: each.some((one) => one.includes('FILE')),
  }
}
