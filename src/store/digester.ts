import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Outage } from '../errors.ts'
import type { ChecksumAlgorithm } from '../image/digest.ts'
import type { Answer, Request } from './digest-messages.ts'
import { isSlab, slabMemory } from './slabs.ts'

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

type Waiting = { resolve: (value: Hashes) => void; reject: (error: Error) => void }
type Asked = Request extends infer R
  ? R extends { ticket: number }
    ? Omit<R, 'ticket'>
    : never
  : never

/** One worker thread and the sessions that hash in it. */
class Lane {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #ticket = 0
  #failure: Outage | null = null
  sessions = 0

  constructor() {
    // A published package holds compiled files, a checkout the sources: the worker lies beside this file either way.
    this.#worker = new Worker(
      new URL(`./digest-worker${extname(import.meta.filename)}`, import.meta.url),
      { workerData: slabMemory, resourceLimits: { maxYoungGenerationSizeMb: 2 } },
    )
    this.#worker.on('message', (answer: Answer) => this.#settle(answer))
    this.#worker.on('error', (error) => this.#fail(error))
    this.#worker.on('messageerror', (error) => this.#fail(error))
    // After the listeners: each of them would keep the process alive again.
    this.#worker.unref()
  }

  ask(request: Asked): Promise<Hashes> {
    if (this.#failure) return Promise.reject(this.#failure)
    const ticket = (this.#ticket += 1)
    const { promise, resolve, reject } = Promise.withResolvers<Hashes>()
    this.#waiting.set(ticket, { resolve, reject })
    if (this.#waiting.size === 1) this.#worker.ref()
    this.tell({ ...request, ticket })
    return promise
  }

  tell(request: Request): void {
    this.#worker.postMessage(request)
  }

  #settle({ ticket, hashes }: Answer): void {
    this.#waiting.get(ticket)?.resolve(hashes ?? {})
    this.#waiting.delete(ticket)
    if (this.#waiting.size === 0) this.#worker.unref()
  }

  /** What it had hashed is lost with it: its sessions end, and the next ones get another thread. */
  #fail(cause: unknown): void {
    if (this.#failure) return
    this.#failure = new Outage('STORAGE_UNAVAILABLE', 'a hashing thread failed; try again', {
      cause,
    })
    lanes.splice(lanes.indexOf(this), 1)
    for (const { reject } of this.#waiting.values()) reject(this.#failure)
    this.#waiting.clear()
  }
}

const lanes: Lane[] = []
let sessions = 0

/** One core is left to the thread that receives. */
const mostLanes = Math.max(1, availableParallelism() - 1)

/** The lane with the fewest sessions; a new one while there are cores without. */
function shortestLane(): Lane {
  const idle = lanes.find((lane) => lane.sessions === 0)
  if (idle) return idle
  if (lanes.length < mostLanes) {
    const lane = new Lane()
    lanes.push(lane)
    return lane
  }
  return lanes.reduce((shortest, lane) => (lane.sessions < shortest.sessions ? lane : shortest))
}

/** Slabs are handed over where they are; other bytes are copied. */
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
      if (!isSlab(bytes)) await lane.ask({ session, copy: bytes })
      else await lane.ask({ session, offset: bytes.byteOffset, length: bytes.length })
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
