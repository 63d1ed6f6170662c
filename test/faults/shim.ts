import { join } from 'node:path'
import { needs } from '../support/programs.ts'
import { run } from '../support/shell.ts'

const sources = join(import.meta.dirname, 'shims')

/** Whether C can be compiled, which what stands between a process and the system's calls is written in. */
export function needsCompiler(): boolean {
  return needs('cc', 'apt-get install gcc libc6-dev')
}

/**
 * Compiles `shims/<name>.c` into `folder`.
 * @returns the path of what goes into LD_PRELOAD
 */
export async function buildShim(name: string, folder: string): Promise<string> {
  const out = join(folder, `${name}.so`)
  const flags = ['-shared', '-fPIC', '-O2', '-Wall', '-Wextra', '-Werror']
  await run('cc', [...flags, '-o', out, join(sources, `${name}.c`), '-ldl', '-pthread'])
  return out
}
