import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The administrator's guide as it was published; what stands in it is not changed by anybody. */
const file = fileURLToPath(new URL('../../cluster/fixtures/guide.ru.txt', import.meta.url))
const text = readFileSync(file, 'utf8')
const paragraphs = text.split(/\n[ \t]*\n/).map(flushLeft)

/** What the guide leaves out, and names that no API server takes. */
const readable: readonly (readonly [RegExp, string])[] = [
  [/^ *sizingPolicies: \{ \.\.\. \}\n?/gm, ''],
  [/^ *\.\.\.\n?/gm, ''],
  [/^ {2}name: cpuX$/gm, '  name: cpu-x'],
  [/^ {2}name: cpuY$/gm, '  name: cpu-y'],
]

/** The manifest of a resource; several that stand together, between lines of `---`, are given together. */
export function manifestInGuide(name: string): string {
  return onlyOne(`a manifest of ${name}`, (lines) => {
    const isManifest = lines.some((line) => line.startsWith('apiVersion:'))
    return isManifest && lines.includes(`  name: ${name}`)
  })
}

/** The fragment about a type of processor. */
export function fragmentInGuide(type: string): string {
  const isFragment = (lines: readonly string[]) => lines[0] === 'spec:'
  return onlyOne(
    `a fragment of ${type}`,
    (lines) => isFragment(lines) && lines.includes(`    type: ${type}`),
  )
}

/** A line of the guide without its indentation, given back as it stands there. @throws Error when there is none */
export function lineInGuide(line: string): string {
  if (text.split('\n').some((each) => each.trim() === line)) return line
  throw new Error(`the guide has no line ${line}`)
}

/** What a program prints, after the line that begins it: the lines below, up to a list or the end of the paragraph, without `#`. */
export function printedInGuide(first: string): readonly string[] {
  const found = paragraphs.find((each) => each.split('\n')[0] === first)
  if (found === undefined) throw new Error(`the guide has no ${first}`)
  const lines = found.split('\n').slice(1)
  const list = lines.findIndex((line) => line.trimStart().startsWith('•'))
  const printed = lines.slice(0, list === -1 ? lines.length : list)
  return printed.map((line) => line.replace(/^# ?/, '')).filter((line) => line !== '')
}

function onlyOne(what: string, isIt: (lines: readonly string[]) => boolean): string {
  const [found, ...others] = paragraphs.filter((each) => isIt(each.split('\n')))
  if (found === undefined || others.length > 0) throw new Error(`the guide has not once ${what}`)
  return readable.reduce((manifest, [left, right]) => manifest.replace(left, right), `${found}\n`)
}

/** Without the indentation that the whole paragraph has. */
function flushLeft(paragraph: string): string {
  const lines = paragraph.split('\n').filter((line) => line.trim() !== '')
  const left = Math.min(...lines.map((line) => line.length - line.trimStart().length))
  return lines.map((line) => line.slice(left)).join('\n')
}
