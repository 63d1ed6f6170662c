import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

export type Told = { readonly kind: string; readonly labels: readonly string[] }
export type ToldMetrics = ReadonlyMap<string, Told>

/** The tables of the README, by name. */
export function toldMetrics(): { readonly service: ToldMetrics; readonly companion: ToldMetrics } {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const section = readme.split('\n## Metrics and logs\n')[1]?.split('\n## ')[0] ?? ''
  const between = (from: string, to: string) => section.split(from)[1]?.split(to)[0] ?? ''
  const service = rows(between('\nThe service:\n', '\nThe companion:\n'))
  const companion = rows(between('\nThe companion:\n', '\nBoth tell'))
  const both = rows(between('\nBoth tell', '\n**Logs**'))
  return { service: new Map([...service, ...both]), companion: new Map([...companion, ...both]) }
}

/** A row may tell of several. */
function rows(table: string): readonly (readonly [string, Told])[] {
  const lines = table.split('\n').filter((line) => line.startsWith('| `'))
  return lines.flatMap((line) => {
    const [, names = '', kind = '', labels = ''] = line.split('|')
    const told = { kind: kind.trim(), labels: quoted(labels) }
    return quoted(names).map((name) => [name, told] as const)
  })
}

function quoted(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)
}
