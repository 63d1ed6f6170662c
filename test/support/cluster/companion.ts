import { fileURLToPath } from 'node:url'
import { beforeEach, expect } from 'vitest'
import { freePort } from '../../bench/peers/server.ts'
import { Logs } from '../logs.ts'
import type { Variables } from '../service.ts'
import { Child } from './child.ts'

const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

/** One answer of its health is waited for so long, in milliseconds. */
const patience = 5_000

/** Companions whose logs the running test may want to see. */
const told = new Set<Companion>()

beforeEach(({ onTestFailed }) => {
  for (const companion of told) if (!companion.isRunning) told.delete(companion)
  onTestFailed(() => {
    for (const companion of told)
      console.error(`the companion on ${companion.base}:\n${companion.logs.toString()}`)
  })
})

export type CompanionOptions = {
  /** Path of the kubeconfig that it is given. */
  readonly kubeconfig: string
  /** Where the service is: `http://address:port`. */
  readonly service: string
  readonly variables?: Variables
}

/** `slipway controller` as people run it: a process of its own, killed when its scope ends. */
export async function startCompanion(options: CompanionOptions): Promise<Companion> {
  const companion = new Companion(await freePort(), options)
  try {
    await companion.start()
    return companion
  } catch (error) {
    await companion.kill()
    throw error
  }
}

export class Companion implements AsyncDisposable {
  readonly logs = new Logs()
  /** Of its health and its metrics. */
  readonly base: string
  readonly #env: NodeJS.ProcessEnv
  #child: Child | null = null

  constructor(port: number, { kubeconfig, service, variables }: CompanionOptions) {
    this.base = `http://127.0.0.1:${port}`
    this.#env = {
      PATH: process.env['PATH'],
      KUBECONFIG: kubeconfig,
      SLIPWAY_URL: service,
      SLIPWAY_CONTROLLER_LISTEN: `127.0.0.1:${port}`,
      SLIPWAY_LOG_FORMAT: 'json',
      ...variables,
    }
    told.add(this)
  }

  get pid(): number {
    if (!this.#child) throw new Error('the companion is not running')
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#child?.isRunning ?? false
  }

  /** Resolves when it is ready; as a follower, too. */
  async start(): Promise<void> {
    await this.launch().ready(async () => (await this.#status('/readyz')) === 200)
  }

  /** Begins it, and waits for nothing: for tests in which it cannot be ready. */
  launch(): Child {
    if (this.isRunning) throw new Error('the companion is running')
    const { logs } = this
    const args = [program, 'controller']
    this.#child = new Child({ program: process.execPath, args, env: this.#env, logs })
    return this.#child
  }

  /** The text of `/readyz`, `/healthz` or `/metrics`, whatever its status. */
  async read(path: string): Promise<string> {
    const signal = AbortSignal.timeout(patience)
    return await (await fetch(`${this.base}${path}`, { signal })).text()
  }

  /** Ends it as Kubernetes does; it has to follow. */
  async stop(): Promise<void> {
    if (this.#child) expect(await this.#child.end('SIGTERM'), 'exit code after SIGTERM').toBe(0)
  }

  /** Ends it as a power cut does. */
  async kill(): Promise<void> {
    await this.#child?.end('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  async #status(path: string): Promise<number | null> {
    const signal = AbortSignal.timeout(patience)
    const answer = await fetch(`${this.base}${path}`, { signal }).catch(() => null)
    await answer?.body?.cancel()
    return answer?.status ?? null
  }
}
