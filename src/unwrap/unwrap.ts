import { addAbortSignal, pipeline, Transform, type Readable } from 'node:stream'
import { Flaw } from '../errors.ts'
import { peek } from './peek.ts'
import { unwrappers } from './table.ts'
import { unread } from './unread.ts'
import type { Unwrapper } from './unwrapper.ts'

/** A disk in an archive in a transfer encoding is honest; deeper nesting only multiplies what comes out. */
const deepest = 2

export type Unwrapped = {
  readonly body: Readable
  /** Names of what was taken off, the outermost first. */
  readonly wrapping: readonly string[]
}

/**
 * Takes up to two wrappings off, as the first bytes tell them. What is not wrapped comes back as it is. From the call on
 * `body` belongs to the stream that is returned: destroying that destroys it, and a failure here has destroyed it.
 * The stream fails with what `body` fails with, with Flaw CORRUPT_ARCHIVE, and with Flaw DECOMPRESSION_LIMIT when a
 * wrapping gives more than `maxOutput` bytes.
 * @throws Flaw UNSUPPORTED_FORMAT, DECOMPRESSION_LIMIT, CORRUPT_ARCHIVE; what `body` fails with; AbortError
 */
export async function unwrap(
  body: Readable,
  options: { readonly maxOutput: number },
  signal: AbortSignal,
): Promise<Unwrapped> {
  addAbortSignal(signal, withoutAlarm(body))
  let current = body
  try {
    const wrapping: string[] = []
    for (;;) {
      const peeked = await peek(current)
      current = withoutAlarm(peeked.body)
      const found = recognise(peeked.head, wrapping)
      if (!found) return { body: current, wrapping }
      wrapping.push(found.name)
      current = open(found, current, options.maxOutput)
    }
  } catch (error) {
    current.destroy()
    throw error
  }
}

function recognise(head: Uint8Array, wrapping: readonly string[]): Unwrapper | null {
  const other = unread.find((each) => each.matches(head))
  if (other) {
    throw new Flaw(
      'UNSUPPORTED_FORMAT',
      `the file is compressed with ${other.name}, which is not read here; unpack it: ${other.command} <file>`,
    )
  }
  const found = unwrappers.find((unwrapper) => unwrapper.matches(head)) ?? null
  if (!found || wrapping.length < deepest) return found
  const layers = [...wrapping, found.name].join(' in ')
  throw new Flaw('DECOMPRESSION_LIMIT', `the file is wrapped too deep, ${layers}; unpack it once`)
}

/** The first failure of any of the three destroys the others, and is what the returned stream fails with. */
function open(unwrapper: Unwrapper, body: Readable, maxOutput: number): Readable {
  const reader = withoutAlarm(unwrapper.open())
  const meter = withoutAlarm(new Meter(unwrapper.name, maxOutput))
  pipeline(body, reader, meter, () => {})
  return meter
}

/** A failure is kept by the stream and met by whoever reads it; until someone does it must not stop the process. */
function withoutAlarm<Stream extends Readable>(stream: Stream): Stream {
  return stream.on('error', () => {})
}

class Meter extends Transform {
  readonly #name: string
  readonly #most: number
  #passed = 0

  constructor(name: string, most: number) {
    super()
    this.#name = name
    this.#most = most
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: Error | null, chunk?: Buffer) => void,
  ): void {
    this.#passed += chunk.length
    if (this.#passed <= this.#most) return done(null, chunk)
    const message = `the ${this.#name} file unpacks to more than ${this.#most} bytes, the most that is accepted`
    done(new Flaw('DECOMPRESSION_LIMIT', message))
  }
}
