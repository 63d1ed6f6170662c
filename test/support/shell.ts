import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

/** No program here has more to do than this, in milliseconds. */
const usually = 60_000

export type Ended = {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export type RunOptions = {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly limit?: number
  /** Its standard input, which is empty otherwise. */
  readonly input?: string | Uint8Array
}

/** Runs a program to its end, however it ends. After `limit` milliseconds it is killed, and its code is null. */
export async function attempt(
  program: string,
  args: readonly string[],
  { cwd, env = process.env, limit = usually, input = '' }: RunOptions = {},
): Promise<Ended> {
  const child = spawn(program, args, {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: limit,
    killSignal: 'SIGKILL',
    ...(cwd === undefined ? {} : { cwd }),
  })
  const code = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve).once('error', reject)
  })
  // A program may end without reading it.
  child.stdin.on('error', () => undefined).end(input)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, stdout, stderr }
}

/**
 * Runs a program that has to succeed.
 * @returns what it printed
 */
export async function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await attempt(program, args, options)
  if (code === 0) return stdout
  throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr || stdout}`)
}
