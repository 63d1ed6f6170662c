import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { environment } from '../programs.ts'

export type Launch = {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: { readonly [variable: string]: string }
  /** The only core that it may run on. */
  readonly core?: number | null
  /** Answers 200 once the server can work. */
  readonly ready: string
}

const readyWithin = 30_000
const stopWithin = 30_000
/** Of what a server complains about, the end is shown when it fails. */
const complaintLength = 4096

/** A server of this bench alone, stopped when its scope ends. */
export class Server implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #name: string
  #complaint = ''
  #stopping = false

  private constructor({ program, args, env, core = null }: Launch) {
    this.#name = program
    const pinned = core === null ? [] : ['taskset', '--cpu-list', String(core)]
    const [command = program, ...rest] = [...pinned, program, ...args]
    this.#process = spawn(command, rest, {
      env: { ...environment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (text: Buffer) => this.#hear(text.toString()))
    }
    this.#process.on('error', (error) => this.#hear(error.message))
    this.#process.on('exit', (code, signal) => this.#ended(code ?? signal))
  }

  /** @throws Error when it ends or is not ready in time */
  static async start(launch: Launch, signal: AbortSignal): Promise<Server> {
    const server = new Server(launch)
    try {
      await server.#untilReady(launch.ready, signal)
      return server
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  get pid(): number | null {
    return this.#process.pid ?? null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#runs()) return
    this.#stopping = true
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), stopWithin)
    await ended
    clearTimeout(kill)
  }

  async #untilReady(url: string, signal: AbortSignal): Promise<void> {
    const deadline = Date.now() + readyWithin
    while (this.#runs() && Date.now() < deadline) {
      if (await answers(url, signal)) return
      await sleep(50, undefined, { signal })
    }
    throw new Error(`${this.#name} is not ready: ${this.#complaint.trim()}`)
  }

  #runs(): boolean {
    const { pid, exitCode, signalCode } = this.#process
    return pid !== undefined && exitCode === null && signalCode === null
  }

  /** Whoever talks to it fails next, and cannot know why. */
  #ended(how: number | string | null): void {
    if (this.#stopping) return
    process.stderr.write(`${this.#name} has ended by itself (${how}): ${this.#complaint.trim()}\n`)
  }

  #hear(text: string): void {
    this.#complaint = (this.#complaint + text).slice(-complaintLength)
  }
}

async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  const bounded = AbortSignal.any([AbortSignal.timeout(1000), signal])
  const response = await fetch(url, { signal: bounded }).catch(() => null)
  await response?.body?.cancel()
  signal.throwIfAborted()
  return response?.ok ?? false
}

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address !== null && typeof address === 'object') return address.port
  throw new Error('127.0.0.1 has no free port')
}
