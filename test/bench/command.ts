import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { environment } from './programs.ts'

const execute = promisify(execFile)

/**
 * Runs a program to its end and gives what it printed.
 * @param within milliseconds; it is killed after them
 * @throws Error with what it complained about
 */
export async function run(
  program: string,
  args: readonly string[],
  within: number,
  signal: AbortSignal,
): Promise<string> {
  const { stdout } = await execute(program, args, {
    env: environment(),
    killSignal: 'SIGKILL',
    timeout: within,
    signal,
  })
  return stdout
}
