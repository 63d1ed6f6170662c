import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formats } from '../../src/image/format.ts'
import { phases } from '../../src/image/phase.ts'
import { entries } from '../../src/main/commands.ts'
import { command as images } from '../../src/main/images.ts'
import { program, slipway } from '../support/program.ts'
import { needs } from '../support/programs.ts'
import { startService, type Service } from '../support/service.ts'
import { run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

/** What a shell offers when a key is pressed behind the last of these words. */
type Complete = (...words: readonly string[]) => Promise<readonly string[]>

const resources = new AsyncDisposableStack()
let service: Service
let folder: string
beforeAll(async () => {
  service = resources.use(await startService())
  for (const name of ['red-1', 'red-2', 'blue']) await service.rest.createUpload(name)
  folder = resources.use(await temporaryFolder()).path
  await writeFile(join(folder, 'slipway'), `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`)
  await chmod(join(folder, 'slipway'), 0o755)
  await writeFile(join(folder, 'some-file.yaml'), '')
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await slipway(['completion', shell], {})
    await writeFile(join(folder, `completion.${shell}`), stdout)
  }
})
afterAll(() => resources.disposeAsync())

/** Runs a shell in the folder, with `slipway` on its path. */
async function shell(name: string, args: readonly string[], base = service.base) {
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, HOME: folder }
  const options = { cwd: folder, env: { ...env, SLIPWAY_URL: base } }
  return (await run(name, args, options)).split('\n').filter(Boolean).sort()
}

const inBash: Complete = async (...words) => {
  const script = `source ./completion.bash
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _slipway; printf '%s\\n' "\${COMPREPLY[@]}"`
  return await shell('bash', ['--norc', '-c', script, 'bash', 'slipway', ...words])
}

/** What completion functions call has a meaning in the line editor alone, so it is told here. */
const inZsh: Complete = async (...words) => {
  const script = `compdef() { :; }; compset() { :; }
    compadd() { shift; print -rl -- "$@"; }
    _describe() { print -rl -- "\${(@)\${(P)2}%%:*}"; }
    _files() { print -rl -- *"$cur"*; }
    source ./completion.zsh; words=("$@"); CURRENT=$#; _slipway`
  const offered = await shell('zsh', ['-f', '-c', script, 'zsh', 'slipway', ...words])
  const start = (words.at(-1) ?? '').replace(/^--.*=/, '')
  return offered.filter((one) => one.startsWith(start))
}

const inFish: Complete = async (...words) => {
  const script = `source ./completion.fish; complete -C '${['slipway', ...words].join(' ')}'`
  const offered = await shell('fish', ['--no-config', '-c', script])
  return offered.map((line) => line.split('\t')[0]?.replace(/^--.*=/, '') ?? '')
}

const names = (rows: readonly { readonly name: string }[]) => rows.map(({ name }) => name).sort()

describe.each([
  ['bash', inBash],
  ['zsh', inZsh],
  ['fish', inFish],
] as const)('%s', (name, complete) => {
  const skip = !needs(name, `apt-get install ${name}`)

  test.skipIf(skip)('completes commands and the commands of commands', async () => {
    expect(await complete('')).toEqual(names(entries))
    expect(await complete('images', '')).toEqual(names(images.entries))
    expect(await complete('completion', '')).toEqual(['bash', 'fish', 'zsh'])
  })

  test.skipIf(skip)('completes options and what they may be', async () => {
    expect(await complete('images', 'ls', '--s')).toEqual(['--sort'])
    expect(await complete('images', 'ls', '--phase', '')).toEqual([...phases].sort())
    expect(await complete('images', 'ls', '--format', '')).toEqual([...formats].sort())
    expect(await complete('images', 'get', '-o', '')).toEqual(['json', 'name', 'table', 'yaml'])
    const parted = name === 'bash' ? ['--kind', '=', 'i'] : ['--kind=i']
    expect(await complete('images', 'ls', ...parted)).toEqual(['iso'])
  })

  test.skipIf(skip)('completes names of images, and files', async () => {
    expect(await complete('images', 'delete', 'blue', 'r')).toEqual(['red-1', 'red-2'])
    expect(await complete('images', 'create', 'x', '--like', 'bl')).toEqual(['blue'])
    expect(await complete('evaluate', '-f', 'some')).toEqual(['some-file.yaml'])
  })
})

test('a service that does not answer is passed over in silence', async () => {
  const nowhere = { SLIPWAY_URL: 'http://127.0.0.1:9' }
  const quiet = { code: 0, stdout: '', stderr: '' }
  expect(await slipway(['completion', 'names', 'r'], nowhere)).toEqual(quiet)
  expect(await slipway(['completion', 'names'], { SLIPWAY_URL: 'nonsense' })).toEqual(quiet)
})
