import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Bug, Flaw } from '../errors.ts'
import type { Decoder, Give } from './decoder.ts'
import type { Answer, Told } from './thread-messages.ts'

/** A decoder whose own code would hold up the event loop, in a thread that lives as long as the file is read. */
export class ThreadDecoder implements Decoder {
  readonly #worker: Worker
  readonly #give: Give
  /** Counts what was told, to wake the thread. */
  readonly #signal = new Int32Array(new SharedArrayBuffer(4))
  /** Of the call that is under way. */
  #settle: PromiseWithResolvers<void> | null = null
  #failure: Error | null = null

  /** @param module names the file `<module>-worker` beside this one */
  constructor(module: string, give: Give) {
    this.#give = give
    // A published package holds compiled files, a checkout the sources: the worker lies beside this file either way.
    this.#worker = new Worker(
      new URL(`./${module}-worker${extname(import.meta.filename)}`, import.meta.url),
      { workerData: this.#signal.buffer, name: module },
    )
    this.#worker.on('message', (answer: Answer) => this.#take(answer))
    const fail = (cause: Error) =>
      this.#fail(new Bug('the thread of a decoder failed; the log has the details', cause))
    this.#worker.on('error', fail)
    this.#worker.on('messageerror', fail)
    this.#worker.on('exit', (code) => fail(new Error(`it ended with ${code}`)))
  }

  write(bytes: Buffer): Promise<void> {
    // Copied, since the memory of a chunk is often that of others too.
    const copy = new Uint8Array(bytes)
    return this.#ask({ bytes: copy }, [copy.buffer])
  }

  end(): Promise<void> {
    return this.#ask({ end: true })
  }

  async cpuTime(): Promise<number> {
    const { user, system } = await this.#worker.cpuUsage()
    return (user + system) / 1000
  }

  close(): void {
    void this.#worker.terminate()
  }

  #ask(told: Told, transfer: readonly ArrayBuffer[] = []): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure)
    this.#settle = Promise.withResolvers()
    this.#tell(told, transfer)
    return this.#settle.promise
  }

  #tell(told: Told, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(told, [...transfer])
    Atomics.add(this.#signal, 0, 1)
    Atomics.notify(this.#signal, 0)
  }

  #take(answer: Answer): void {
    if ('bytes' in answer) void this.#pass(answer.bytes)
    else if ('flaw' in answer) this.#fail(new Flaw(answer.flaw.code, answer.flaw.message))
    else this.#settle?.resolve()
  }

  async #pass(bytes: Uint8Array): Promise<void> {
    await this.#give(bytes)
    this.#tell({ taken: true })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#settle?.reject(this.#failure)
  }
}
