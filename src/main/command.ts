import { once } from 'node:events'
import type { ParseArgsConfig } from 'node:util'
import type { Settings } from '../env.ts'
import { Refusal } from '../errors.ts'
import { plain } from './plain.ts'

/** Exit codes: 0 done, 1 the answer is no, 2 it was asked or set up wrongly, or refused; and these. */
export const wrong = 2
export const unreachable = 3
/** As shells say it of a program that SIGINT ended. */
export const interrupted = 130

/** What was given for each option: a list for those that may be given several times (`multiple` of `parseArgs`). */
export type Values = {
  readonly [option: string]: string | boolean | readonly string[] | undefined
}

/** One command of the program. */
export type Command = {
  /** What `--help` prints. */
  readonly help: string
  /** Beside `--help` and `--output`, which all know. */
  readonly options: NonNullable<ParseArgsConfig['options']>
  /** What an option may be, for completion: these words, or the name of an image; without an entry, a file. */
  readonly choices?: { readonly [option: string]: readonly string[] | 'images' }
  /** @returns the exit code */
  readonly run: (operands: readonly string[], values: Values) => Promise<number>
}

export const outputs = ['json', 'table'] as const
export type Output = (typeof outputs)[number]

/** Of commands that show what a service has. */
export const forms = ['table', 'json', 'yaml', 'name'] as const
export type Form = (typeof forms)[number]

/** A table for people, JSON for programs, unless one of them is asked for. */
export function outputOf(values: Values): Output {
  return wordOf(values, 'output', outputs) ?? (process.stdout.isTTY ? 'table' : 'json')
}

/** As `outputOf`, of commands that have more of them. */
export function formOf(values: Values): Form {
  return wordOf(values, 'output', forms) ?? (process.stdout.isTTY ? 'table' : 'json')
}

/** @throws Refusal when it is none of the words */
export function wordOf<Word extends string>(
  values: Values,
  option: string,
  words: readonly Word[],
): Word | undefined {
  const wanted = values[option]
  if (wanted === undefined) return undefined
  const word = words.find((each) => each === wanted)
  if (word !== undefined) return word
  const allowed = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
  throw new Refusal('UNSUPPORTED', `--${option} is "${String(wanted)}"; allowed: ${allowed}`)
}

export function textOf(values: Values, option: string): string | undefined {
  const value = values[option]
  return typeof value === 'string' ? value : undefined
}

/** Of an option that may be given several times. */
export function textsOf(values: Values, option: string): readonly string[] {
  const value = values[option]
  return typeof value === 'object' ? value : []
}

/** @throws Refusal when there are operands */
export function none(operands: readonly string[], command: string): void {
  if (operands.length === 0) return
  throw new Refusal('UNSUPPORTED', `give no more than options; try slipway ${command} --help`)
}

/** Read, and those that hold for the whole process applied. @throws Refusal with a line for each setting that is wrong */
export async function withSettings(): Promise<Settings> {
  const { readSettings } = await import('../env.ts')
  const { settings, problems } = readSettings(process.env)
  if (!settings) throw new Refusal('UNSUPPORTED', problems.join('\n'))
  await trust(settings)
  return settings
}

/** From here on this process trusts what `SSL_CERT_FILE` holds. @throws Refusal when that is no file of certificates */
export async function trust({ caFile }: Pick<Settings, 'caFile'>): Promise<void> {
  if (caFile === null) return
  const { trustAlso } = await import('../app/trust.ts')
  await trustAlso(caFile)
}

export function print(text: string): 0 {
  process.stdout.write(text)
  return 0
}

/** As `print`; resolves when there is room for more. */
export async function written(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** What a service or a source said may be in it. */
export function complain(text: string): void {
  process.stderr.write(`${text.split('\n').map(plain).join('\n')}\n`)
}

/** Ends with the first signal, as `signalled`. */
export function interruption(): AbortSignal {
  const stop = new AbortController()
  void signalled().then(() => stop.abort())
  return stop.signal
}

/** Resolves with the first signal. A second one ends the process at once, as the shell's user expects. */
export function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const told = (signal: NodeJS.Signals) => {
      for (const each of ['SIGTERM', 'SIGINT'] as const) process.removeListener(each, told)
      resolve(signal)
    }
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, told)
  })
}
