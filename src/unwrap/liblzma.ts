import { code, end, initModule, WasmLzmaStream } from 'node-liblzma/wasm'
import { Bug, type Flaw } from '../errors.ts'
import { corrupt, mostWindow, unsupported, windowTooLarge } from './unsound.ts'

const name = 'xz'

/** liblzma's `lzma_action`, `lzma_ret` and its flag to read one stream behind another. */
const action = { run: 0, finish: 3 } as const
const result = { ok: 0, end: 1, memory: 5, memoryLimit: 6, options: 8 } as const
const concatenated = 0x08

/** Beside the window liblzma needs 64 KiB, and some hundred bytes for each filter. */
const mostMemory = BigInt(mostWindow + 1024 * 1024)

/** As a source's chunks come, and what is worth a message; other sizes made no difference that could be measured. */
const inputSize = 65_536
const outputSize = 262_144

/**
 * liblzma compiled to WebAssembly: on every machine the same, some two thirds as quick as the xz program, and unable to
 * touch this process whatever is in the file. The package's native build needs a newer libstdc++ than Debian 12 has, and
 * frees the buffers of a call that is made from within the last one's callback.
 * @throws Error when the module cannot be loaded
 */
export async function openLiblzma(): Promise<Liblzma> {
  return new Liblzma(await initModule())
}

type Module = Awaited<ReturnType<typeof initModule>>

export class Liblzma implements Disposable {
  readonly #module: Module
  readonly #stream: WasmLzmaStream
  readonly #input: number
  readonly #output: number
  /** Bytes read, for messages. */
  #position = 0

  constructor(module: Module) {
    this.#module = module
    this.#stream = new WasmLzmaStream(module)
    this.#input = module['_malloc'](inputSize)
    this.#output = module['_malloc'](outputSize)
    const state = module['_lzma_stream_decoder'](this.#stream.ptr, mostMemory, concatenated)
    if (state !== result.ok) throw new Bug(`liblzma cannot begin: ${state}`)
  }

  /** @throws Flaw CORRUPT_ARCHIVE, UNSUPPORTED_FORMAT, DECOMPRESSION_LIMIT */
  *decode(bytes: Uint8Array): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
    for (let from = 0; from < bytes.length; from += inputSize) {
      const piece = bytes.subarray(from, from + inputSize)
      this.#module.HEAPU8.set(piece, this.#input)
      this.#stream.setInput(this.#input, piece.length)
      this.#position += piece.length
      let filled = true
      while (this.#stream.availIn > 0 || filled) {
        const { state, output } = this.#step(action.run)
        if (state !== result.ok) throw this.#flaw(state)
        filled = output.length === outputSize
        if (output.length > 0) yield output
      }
    }
  }

  /** To be called when all bytes were given: whether liblzma too has come to the end of the file. */
  *finish(): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
    for (;;) {
      const { state, output } = this.#step(action.finish)
      if (output.length > 0) yield output
      if (state === result.end) return
      if (state !== result.ok) throw this.#flaw(state)
    }
  }

  [Symbol.dispose](): void {
    end(this.#stream)
    this.#module['_free'](this.#input)
    this.#module['_free'](this.#output)
    this.#stream.free()
  }

  #step(action: number) {
    this.#stream.setOutput(this.#output, outputSize)
    const state = code(this.#stream, action)
    const length = outputSize - this.#stream.availOut
    // Looked up each time: the memory moves when it grows.
    const output = this.#module.HEAPU8.subarray(this.#output, this.#output + length)
    return { state, output: new Uint8Array(output) }
  }

  #flaw(state: number): Flaw {
    const recompress = 'unpack it and compress it again: xz -d <file>, then xz <file>'
    if (state === result.memory || state === result.memoryLimit) {
      return windowTooLarge(name, mostWindow, recompress)
    }
    if (state === result.options) return unsupported(name, 'uses unknown options', recompress)
    return corrupt(name, `it is damaged before byte ${this.#position - this.#stream.availIn}`)
  }
}
