import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Bench, Contender } from '../bench.ts'
import type { Program } from '../programs.ts'

/** A program that unpacks a file and throws away what comes out. */
export function decompressing({ name }: Program, path: string, { signal }: Bench): Contender {
  const run = async () => {
    const args = ['-d', '-c', path]
    const child = spawn(name, args, { stdio: ['ignore', 'ignore', 'inherit'], signal })
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`${name} ended with ${code}`)
  }
  return { name: `${name} -dc`, pid: null, begin: async () => ({ run, end: async () => {} }) }
}
