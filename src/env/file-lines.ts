import { Refusal } from '../errors.ts'

/** The setting a file was named by, and where the file is: what a complaint about it begins with. */
export type Origin = { readonly variable: string; readonly path: string }

export type Line = { readonly number: number; readonly text: string }

/** The lines that say something: neither empty nor comments. */
export function linesOf(text: string): readonly Line[] {
  return text
    .split(/\r?\n/)
    .map((line, index) => ({ number: index + 1, text: line.trim() }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'))
}

/**
 * One line that names variable, file, line and the way out. What the line holds is not shown: it may be a secret.
 * @param line counted from 1, null when none is to blame
 */
export function unreadable(
  { variable, path }: Origin,
  line: number | null,
  what: string,
  cause?: unknown,
): Refusal {
  const where = line === null ? '' : `, line ${line}`
  return new Refusal('UNSUPPORTED', `${variable} is "${path}"${where}: ${what}`, { cause })
}
