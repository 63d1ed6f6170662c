import bunzip from 'seek-bzip'
import type { Port } from './thread-port.ts'
import { corrupt, cutOff, unsupported } from './unsound.ts'

const name = 'bzip2'

/** Bytes that are handed over at once. */
const outputSize = 262_144

/** The file as the decoder wants it, byte by byte. */
class Input {
  readonly #port: Port
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  #before = 0

  constructor(port: Port) {
    this.#port = port
  }

  get position(): number {
    return this.#before + this.#at
  }

  hasMore(): boolean {
    while (this.#at === this.#bytes.length) {
      const next = this.#port.read()
      if (!next) return false
      this.#before += this.#bytes.length
      this.#bytes = next
      this.#at = 0
    }
    return true
  }

  readByte(): number {
    if (this.#at === this.#bytes.length && !this.hasMore()) throw cutOff(name, this.position)
    return this.#bytes[this.#at++] ?? 0
  }

  read(buffer: Uint8Array, offset: number, length: number): number {
    for (let index = 0; index < length; index += 1) buffer[offset + index] = this.readByte()
    return length
  }
}

class Output {
  readonly #port: Port
  #bytes = new Uint8Array(outputSize)
  #length = 0

  constructor(port: Port) {
    this.#port = port
  }

  writeByte(byte: number): void {
    this.#bytes[this.#length++] = byte
    if (this.#length === outputSize) this.flush()
  }

  flush(): void {
    this.#port.write(this.#bytes.slice(0, this.#length))
    this.#length = 0
  }
}

export function decodeBzip2(port: Port): void {
  const input = new Input(port)
  const output = new Output(port)
  while (input.hasMore()) oneStream(input, output)
  output.flush()
}

function oneStream(input: Input, output: Output): void {
  const start = input.position
  try {
    bunzip.decode(input, output)
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    throw flaw(error, start, input.position)
  }
}

/** seek-bzip tells what it finds by a TypeError with one of these. */
const found = { otherData: -2, obsolete: -7 } as const

function flaw(error: Error, start: number, position: number): Error {
  const code = 'errorCode' in error ? error.errorCode : null
  if (code === found.otherData && position <= start + 4) {
    return corrupt(name, `something else than a stream begins at byte ${start}`, error)
  }
  if (code === found.obsolete) {
    const remedy = 'unpack it and compress it again: bzip2 -d <file>, then bzip2 <file>'
    return unsupported(name, 'was made by bzip2 0.9.0 or before', remedy)
  }
  return corrupt(name, `it is damaged before byte ${position}`, error)
}
