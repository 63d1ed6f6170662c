import { RegistryClient } from './registry-client.ts'
import type { Service } from './service.ts'

/** A request that the end of the service has cut: what it was to do is done, or is not. */
export class Cut extends Error {}

/** A service that is ended and started again while its clients are at work. */
export class Life {
  readonly service: Service
  #ends = 0
  #isDown = false
  #up: Promise<void> = Promise.resolve()

  constructor(service: Service) {
    this.service = service
  }

  /** How often it was ended. */
  get ends(): number {
    return this.#ends
  }

  /** Resolves when it answers. */
  async up(): Promise<void> {
    await this.#up
  }

  /** @param end ends the service, in whatever way */
  async interrupt(end: () => Promise<void>): Promise<void> {
    this.#ends += 1
    this.#isDown = true
    this.#up = this.#again(end)
    await this.#up
  }

  /** @throws Cut for what fails while the service is ended; everything else is an error of its own */
  async outlast<Value>(work: () => Promise<Value>): Promise<Value> {
    const before = this.#isDown ? -1 : this.#ends
    try {
      return await work()
    } catch (error) {
      if (before === this.#ends) throw error
      throw new Cut('the service was ended meanwhile', { cause: error })
    }
  }

  async #again(end: () => Promise<void>): Promise<void> {
    await end()
    await this.service.start()
    this.#isDown = false
  }
}

/** A client whose answers are whole, or else the request was cut. */
export class CutClient extends RegistryClient {
  readonly life: Life

  constructor(life: Life) {
    super(() => life.service.base)
    this.life = life
  }

  override async ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    return await this.life.outlast(async () => {
      const answer = await super.ask(method, path, init)
      const body = await answer.arrayBuffer()
      if (answer.status === 503) throw new Error(`503: ${Buffer.from(body).toString()}`)
      const { status, headers } = answer
      return new Response(status === 204 || status === 304 ? null : body, { status, headers })
    })
  }
}
