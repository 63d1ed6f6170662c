import { cp, mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './shell.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A clean copy of the project: what git knows or would take, and the packages. */
export async function copyProject(to: string): Promise<void> {
  const listed = await run('git', ['-C', root, 'ls-files', '-z', '-co', '--exclude-standard'])
  for (const path of listed.split('\0').filter((name) => name !== '')) {
    await mkdir(dirname(join(to, path)), { recursive: true })
    await cp(join(root, path), join(to, path))
  }
  await symlink(join(root, 'node_modules'), join(to, 'node_modules'))
}
