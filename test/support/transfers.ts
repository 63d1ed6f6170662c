import { program, Running } from './program.ts'
import { attempt, type Ended, type RunOptions } from './shell.ts'

/** What a command of the images is told: where its service is, and nothing else of this process. */
export function asking(base: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], SLIPWAY_URL: base }
}

/** `slipway images ...` to its end. */
export async function images(
  base: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  const env = asking(base)
  return await attempt(process.execPath, [program, 'images', ...args], { env, ...options })
}

/** One that somebody ends. */
export function beginImages(base: string, args: readonly string[]): Running {
  return new Running(['images', ...args], { SLIPWAY_URL: base })
}

/** How it ends by a signal. */
export async function endBy(running: Running, signal: NodeJS.Signals) {
  const code = await running.end(signal)
  return { code, stdout: running.stdout, stderr: running.stderr }
}
