import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Command } from '../../../src/main/command.ts'
import { entries, isGroup, type Entry } from '../../../src/main/commands.ts'
import { program } from '../../support/program.ts'
import { attempt } from '../../support/shell.ts'

type Found = { readonly path: string; readonly summary: string; readonly command: Command }

async function all(path: string, entries: readonly Entry[]): Promise<readonly Found[]> {
  const found = entries.map(async ({ name, summary, load }) => {
    const { command } = await load()
    const own = `${path} ${name}`
    return isGroup(command) ? await all(own, command.entries) : [{ path: own, summary, command }]
  })
  return (await Promise.all(found)).flat()
}

const commands = await all('slipway', entries)

test.each(commands)(
  'the help of $path begins with it, names all its options and is no wider than others',
  ({ path, command }) => {
    expect(command.help.startsWith(path)).toBe(true)
    expect(command.help.endsWith('\n')).toBe(true)
    const named = (name: string, short: string | undefined) =>
      command.help.includes(`--${name}`) ||
      (short !== undefined && command.help.includes(`-${short} `))
    const missing = Object.entries(command.options).filter(
      ([name, { short }]) => !named(name, short),
    )
    expect(missing.map(([name]) => name)).toEqual([])
    expect(command.help.split('\n').filter((line) => line.length > 128)).toEqual([])
  },
)

test('the README lists the commands as help does', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
  const section = readme.split('\n## On the command line\n')[1]?.split('\n## ')[0] ?? ''
  const rows = [...section.matchAll(/^\| `(slipway [a-z -]+)` \| (.*) \|$/gm)]
  expect(rows.map(([, path, summary]) => [path, summary])).toEqual(
    commands.map(({ path, summary }) => [path, summary]),
  )
})

test('help of a command is found in either order of words', async () => {
  const [asked, told] = await Promise.all(
    [
      ['help', 'images', 'ls'],
      ['images', 'ls', '--help'],
    ].map((args) => attempt(process.execPath, [program, ...args])),
  )
  expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining('slipway images ls') })
  expect(asked).toEqual(told)
})
