import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { within } from '../deadline.ts'
import type { Logs } from '../logs.ts'

export type Launch = {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** What it says goes there, too. */
  readonly logs?: Logs
}

/** From the command to the first good answer, and from the signal to the end, in milliseconds. */
const startsWithin = 60_000
const endsWithin = 20_000
/** Of what a program says, the end is shown when it fails; in characters. */
const complaintLength = 8192

/** Waits until the test that holds its input is gone, however that ends, and kills the group then. */
const watch = 'cat >/dev/null; kill -s KILL -- "-$0"'

/** A program in a process group of its own, which never outlives the process of the test. */
export class Child implements AsyncDisposable {
  readonly #name: string
  readonly #process: ChildProcess
  readonly #watcher: ChildProcess
  readonly #ended: Promise<number | null>
  #complaint = ''

  constructor({ program, args, env = process.env, logs }: Launch) {
    this.#name = program
    this.#process = spawn(program, args, {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#watcher = spawn('sh', ['-c', watch, String(this.pid)], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#ended = once(this.#process, 'close').then(() => {
      this.#watcher.kill('SIGKILL')
      return this.#process.exitCode
    })
    const { stdout, stderr } = this.#process
    if (logs && stdout && stderr) logs.follow(stdout, stderr)
    for (const stream of [stdout, stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.#complaint = (this.#complaint + text.toString()).slice(-complaintLength)
      })
    }
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`${this.#name} cannot be started`)
    return this.#process.pid
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Asks again and again until it is. @throws Error when the program ends or takes too long */
  async ready(isReady: () => Promise<boolean>): Promise<void> {
    const late = AbortSignal.timeout(startsWithin)
    while (this.isRunning && !late.aborted) {
      if (await isReady()) return
      await sleep(20)
    }
    throw new Error(`${this.#name} is not ready: ${this.#complaint.trim()}`)
  }

  /**
   * Tells its whole group, and resolves when it has ended.
   * @returns its exit code; null after a signal
   */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    if (this.isRunning) process.kill(-this.pid, signal)
    return await within(endsWithin, `the end of ${this.#name}`, this.#ended)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }
}
