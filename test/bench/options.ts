import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { parseSize } from '../../src/image/size.ts'

export type Options = {
  /** Bytes of the file that is moved. */
  readonly size: number
  readonly rounds: number
  /** Where the temporary folder is made: every contender writes to the disk below it. */
  readonly dir: string
  /** Names of measurements, null for all. */
  readonly only: readonly string[] | null
  readonly json: boolean
  /** A file for the JSON, beside what is printed. */
  readonly output: string | null
}

export const usage = `npm run bench -- [--size 4Gi] [--rounds 3] [--dir FOLDER] [--only NAME,NAME] [--json] [--output FILE]

Measures Slipway beside its peers. Prints a table, or with --json everything that was measured.
`

/** An MBR and the inspection's windows need some room. */
const smallest = 1024 * 1024

/** @throws Error that says what is wrong with the arguments */
export function readOptions(argv: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      size: { type: 'string', default: '4Gi' },
      rounds: { type: 'string', default: '3' },
      dir: { type: 'string', default: tmpdir() },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      output: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  return {
    size: sizeOf(values.size),
    rounds: countOf(values.rounds),
    dir: values.dir,
    only: values.only?.split(',') ?? null,
    json: values.json,
    output: values.output ?? null,
  }
}

function sizeOf(text: string): number {
  const size = parseSize(text)
  if (size !== null && size >= smallest) return size
  throw new Error(`--size is "${text}"; allowed: 1Mi or more, such as 512Mi or 4Gi`)
}

function countOf(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text)
  throw new Error(`--rounds is "${text}"; allowed: 1 to 99`)
}
