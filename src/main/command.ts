import type { ParseArgsConfig } from 'node:util'
import type { Settings } from '../env.ts'
import { Refusal } from '../errors.ts'

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
  /** @returns the exit code */
  readonly run: (operands: readonly string[], values: Values) => Promise<number>
}

export type Output = 'json' | 'table'

/** A table for people, JSON for programs, unless one of them is asked for. */
export function outputOf({ output: wanted }: Values): Output {
  if (wanted === undefined) return process.stdout.isTTY ? 'table' : 'json'
  if (wanted === 'json' || wanted === 'table') return wanted
  throw new Refusal('UNSUPPORTED', `--output is "${String(wanted)}"; allowed: json or table`)
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

export function complain(text: string): void {
  process.stderr.write(`${text}\n`)
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
