import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { within } from './deadline.ts'
import type { Variables } from './service.ts'
import { attempt, type Ended } from './shell.ts'

export const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** From a signal to the end, in milliseconds. */
const endsWithin = 10_000

function environment(variables: Variables) {
  return { PATH: process.env['PATH'], ...variables }
}

/** `slipway` as people run it, to its end, where nothing is a terminal. */
export async function slipway(
  args: readonly string[],
  variables: Variables,
  input = '',
): Promise<Ended> {
  const env = environment(variables)
  return await attempt(process.execPath, [program, ...args], { env, input })
}

/** `slipway` as people run it, while it runs. */
export class Running implements AsyncDisposable {
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #ended: Promise<readonly unknown[]>

  constructor(args: readonly string[], variables: Variables) {
    const child = spawn(process.execPath, [program, ...args], {
      env: environment(variables),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.#child = child
    this.#ended = once(child, 'close')
  }

  /** Resolves when standard output, or standard error, holds this. */
  async says(text: RegExp): Promise<void> {
    await expect.poll(() => this.stdout + this.stderr).toMatch(text)
  }

  /** @returns the exit code, null when a signal ended it */
  async end(signal?: NodeJS.Signals): Promise<unknown> {
    if (signal) this.#child.kill(signal)
    return (await within(endsWithin, 'the end of the command', this.#ended))[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}
