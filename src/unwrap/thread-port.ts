import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { asFailure, Bug } from '../errors.ts'
import { flawCodes, type Answer, type Told } from './thread-messages.ts'

/** Pieces that may be on their way to the reader: it has the next while it asks for more, and no more than that is held. */
const mostOnTheWay = 4

/** What a decoder in a thread of its own reads from and writes to. Both wait, and the whole thread with them. */
export interface Port {
  /** The next bytes, of which those before were consumed; null when the file has ended. */
  read(): Uint8Array | null
  /** Hands the bytes over with their memory, which is gone here. */
  write(bytes: Uint8Array<ArrayBuffer>): void
}

/** The far side of `thread-decoder.ts`. A Flaw that `decode` throws is what the reader gets. */
export function serve(decode: (port: Port) => void): void {
  try {
    decode(new BlockingPort())
    answer({ complete: true })
  } catch (error) {
    const failure = asFailure(error)
    const code = flawCodes.find((code) => code === failure.code)
    if (!code) throw error
    answer({ flaw: { code, message: failure.message } })
  }
}

class BlockingPort implements Port {
  readonly #signal: Int32Array<SharedArrayBuffer> = new Int32Array(workerData)
  #onTheWay = 0
  #begun = false

  read(): Uint8Array | null {
    if (this.#begun) answer({ more: true })
    this.#begun = true
    for (;;) {
      const told = this.#receive()
      if ('bytes' in told) return told.bytes
      if ('end' in told) return null
    }
  }

  write(bytes: Uint8Array<ArrayBuffer>): void {
    answer({ bytes }, [bytes.buffer])
    this.#onTheWay += 1
    while (this.#onTheWay >= mostOnTheWay) this.#receive()
  }

  /** The count is taken before the look, so that what comes in between ends the wait at once. */
  #receive(): Told {
    for (;;) {
      const count = Atomics.load(this.#signal, 0)
      const received = receive()
      if (!received) {
        Atomics.wait(this.#signal, 0, count)
        continue
      }
      if ('taken' in received) this.#onTheWay -= 1
      return received
    }
  }
}

function receive(): Told | null {
  if (!parentPort) throw new Bug('a decoder runs outside of its thread')
  const received: { readonly message: Told } | undefined = receiveMessageOnPort(parentPort)
  return received?.message ?? null
}

function answer(message: Answer, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, [...transfer])
}
