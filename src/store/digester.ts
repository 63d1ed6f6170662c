import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'
import { Bug } from '../errors.ts'
import type { ChecksumAlgorithm } from '../image/digest.ts'

/**
 * Hashing beside the event loop. sha-256 runs at about 1.4 GiB/s on a core; done in worker threads the loop stays free
 * to receive, and a transfer that needs two hashes (of the file, and of the layer around it) uses two cores.
 */
export interface Digester {
  /** Takes the next bytes. Resolves once they were read, so that their memory may be used again. */
  update(bytes: Uint8Array): Promise<void>
  /** Lower-case hex by algorithm. No further bytes may follow. */
  finish(): Promise<Hashes>
  /** Frees what it holds when `finish` is not reached. */
  drop(): void
}

export type Hashes = { readonly [algorithm in ChecksumAlgorithm]?: string }

const hashes = z.partialRecord(z.enum(['md5', 'sha1', 'sha256', 'sha512']), z.string())
const answer = z.object({ ticket: z.number(), hashes: hashes.optional() })

type Waiting = { resolve: (value: Hashes) => void; reject: (error: Error) => void }

/** One worker thread and the sessions that hash in it. */
class Lane {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #ticket = 0
  sessions = 0

  constructor() {
    // A published package holds compiled files, a checkout the sources: the worker lies beside this file either way.
    this.#worker = new Worker(
      new URL(`./digest-worker${extname(import.meta.filename)}`, import.meta.url),
    )
    this.#worker.unref()
    this.#worker.on('message', (message: unknown) => this.#settle(message))
    this.#worker.on('error', (error) => this.#fail(error))
  }

  ask(request: object): Promise<Hashes> {
    const ticket = (this.#ticket += 1)
    const { promise, resolve, reject } = Promise.withResolvers<Hashes>()
    this.#waiting.set(ticket, { resolve, reject })
    if (this.#waiting.size === 1) this.#worker.ref()
    this.#worker.postMessage({ ticket, ...request })
    return promise
  }

  tell(request: object): void {
    this.#worker.postMessage(request)
  }

  #settle(message: unknown): void {
    const { ticket, hashes } = answer.parse(message)
    this.#waiting.get(ticket)?.resolve(hashes ?? {})
    this.#waiting.delete(ticket)
    if (this.#waiting.size === 0) this.#worker.unref()
  }

  #fail(cause: unknown): void {
    lanes.splice(lanes.indexOf(this), 1)
    for (const { reject } of this.#waiting.values())
      reject(new Bug('a hashing thread failed', cause))
    this.#waiting.clear()
  }
}

const lanes: Lane[] = []
let sessions = 0

/** The lane with the fewest sessions; a new one while there are cores without. */
function shortestLane(): Lane {
  const idle = lanes.find((lane) => lane.sessions === 0)
  if (idle) return idle
  if (lanes.length < availableParallelism()) {
    const lane = new Lane()
    lanes.push(lane)
    return lane
  }
  return lanes.reduce((shortest, lane) => (lane.sessions < shortest.sessions ? lane : shortest))
}

/** Hashes that arrive in memory shared between threads are handed over without a copy; others are copied. */
export function openDigester(algorithms: readonly ChecksumAlgorithm[]): Digester {
  const lane = shortestLane()
  const session = (sessions += 1)
  let open = true
  lane.sessions += 1
  lane.tell({ session, open: algorithms })
  const close = () => {
    if (!open) return
    open = false
    lane.sessions -= 1
  }
  return {
    async update(bytes) {
      await lane.ask({ session, bytes })
    },
    async finish() {
      const result = lane.ask({ session, finish: true })
      close()
      return await result
    },
    drop() {
      if (open) lane.tell({ session, drop: true })
      close()
    },
  }
}

/** For bytes that are few or already slowed down by a decoder: the same, on this thread. */
export function openLocalDigester(algorithms: readonly ChecksumAlgorithm[]): Digester {
  const running = algorithms.map((algorithm) => ({ algorithm, hash: createHash(algorithm) }))
  return {
    update(bytes) {
      for (const { hash } of running) hash.update(bytes)
      return Promise.resolve()
    },
    finish: () =>
      Promise.resolve(
        Object.fromEntries(running.map(({ algorithm, hash }) => [algorithm, hash.digest('hex')])),
      ),
    drop() {},
  }
}
