import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { beforeEach, expect } from 'vitest'
import { z } from 'zod'
import { within } from './deadline.ts'
import { Logs, type Line } from './logs.ts'
import { placeVariables } from './place.ts'
import { Rest } from './rest.ts'
import { temporaryFolder } from './temporary.ts'

export type Variables = { readonly [variable: string]: string }

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Sources of a test are on this machine, and no two services share a port. */
const usual: Variables = {
  SLIPWAY_LISTEN: '127.0.0.1:0',
  SLIPWAY_SOURCE_ALLOW: '127.0.0.0/8,::1/128',
  SLIPWAY_LOG_FORMAT: 'json',
}

/** From the command to the first answer, and from the signal to the end, in milliseconds, on a machine with other work. */
const startsWithin = 60_000
const endsWithin = 20_000

/** Services whose logs the running test may want to see. */
const told = new Set<Service>()

beforeEach(({ onTestFailed }) => {
  for (const service of told) if (!service.isRunning) told.delete(service)
  onTestFailed(() => {
    for (const service of told)
      console.error(`the service on ${service.folder}:\n${service.logs.toString()}`)
  })
})

/**
 * The service as people run it: a process of its own, on a data folder that goes with it.
 * @param cwd where it is started; where this process is, unless said otherwise
 */
export async function startService(
  variables: Variables = {},
  cwd = process.cwd(),
): Promise<Service> {
  const folder = await temporaryFolder()
  const all = { ...usual, ...placeVariables(folder.path), ...variables }
  const service = new Service(folder.path, all, cwd)
  try {
    await service.start()
    return service
  } catch (error) {
    await service.kill()
    await folder[Symbol.asyncDispose]()
    throw error
  }
}

/** What `slipway serve` is given, for a second one on the same folder too. */
export function serveOn(folder: string, variables: Variables = {}) {
  const env = { ...usual, PATH: process.env['PATH'], SLIPWAY_DATA_DIR: folder, ...variables }
  return { args: [program, 'serve'], env }
}

const readyLine = z.object({ listen: z.string() })

export class Service implements AsyncDisposable {
  readonly folder: string
  readonly logs = new Logs()
  readonly rest = new Rest(() => this.base)
  readonly #variables: Variables
  readonly #cwd: string
  #process: ChildProcess | null = null
  #exited: Promise<readonly unknown[]> = Promise.resolve([])
  #listen = ''

  constructor(folder: string, variables: Variables, cwd = process.cwd()) {
    this.folder = folder
    this.#variables = variables
    this.#cwd = cwd
    told.add(this)
  }

  /** `http://address:port`; another port after each start. */
  get base(): string {
    return `http://${this.#listen}`
  }

  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error('the service is not running')
    return this.#process.pid
  }

  get isRunning(): boolean {
    return this.#process !== null
  }

  /** Resolves when it answers. @param variables of this start alone */
  async start(variables: Variables = {}): Promise<void> {
    const { args, env } = serveOn(this.folder, { ...this.#variables, ...variables })
    const before = this.logs.lines.length
    const at = { env, cwd: this.#cwd }
    const child = spawn(process.execPath, args, { ...at, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    this.#exited = once(child, 'close')
    this.logs.follow(child.stdout, child.stderr)
    const ended = new AbortController()
    const isReady: (line: Line) => boolean = ({ msg }) => msg === 'slipway is ready'
    const ready = this.logs.line(isReady, before, 2 * startsWithin, ended.signal)
    const early = this.#exited.then(() => this.#failedToStart())
    try {
      const line = await within(startsWithin, 'the start', Promise.race([ready, early]))
      this.#listen = readyLine.parse(line).listen
    } finally {
      ended.abort()
    }
  }

  /** Ends it as an init system does; it has to follow. */
  async stop(signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<void> {
    expect(await this.#end(signal), `exit code after ${signal}`).toBe(0)
  }

  /** Ends it as a power cut does. */
  async kill(): Promise<void> {
    if (this.#process) await this.#end('SIGKILL')
  }

  /** Killed, so that a failing test ends with its own error; how it stops is tested for itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<unknown> {
    this.#process?.kill(signal)
    const [code] = await within(endsWithin, `the end after ${signal}`, this.#exited)
    this.#process = null
    return code
  }

  #failedToStart(): never {
    throw new Error(`the service ended before it was ready:\n${this.logs.toString()}`)
  }
}
