import { createHash } from 'node:crypto'
import { pipeline, Transform, type Readable } from 'node:stream'
import type { Flaw } from '../../errors.ts'
import { algorithmOf, hexOf, type Digest } from '../../image/digest.ts'
import type { BlobPart } from '../registry/registry.ts'
import type { Tally } from '../tally.ts'
import { lie } from './flaws.ts'

/**
 * A blob's bytes, counted as they arrive. The stream ends only when they were as many as `part` says and have its digest;
 * else it fails with Flaw INVALID_OCI, or with what `body` fails with. From the call on `body` belongs to it: destroying
 * the one destroys the other.
 */
export function verified(body: Readable, part: BlobPart, tally: Tally): Readable {
  const verifier = new Verifier({
    digest: part.digest,
    size: part.size,
    onBytes: (count) => tally.add(count),
    refuse: (what) => lie(part, what),
  })
  pipeline(body.on('error', keep), verifier.on('error', keep), keep)
  return verifier
}

/** A failure is kept by its stream and met by whoever reads that; until someone does it must not stop the process. */
export function keep(): void {}

/** A pipeline before and one behind, signals, looks at the first bytes: a dozen listeners, each for a reason of its own. */
export const mostListeners = 20

export type Expected = {
  readonly digest: Digest
  /** Bytes, null where nothing tells it. */
  readonly size: number | null
  readonly onBytes: (count: number) => void
  /** @param what goes on behind the name of the layer */
  readonly refuse: (what: string) => Flaw
}

type Done = (error?: Error | null, chunk?: Buffer) => void

/** Passes bytes on and ends only when they are the expected ones. Hashes on this thread. */
export class Verifier extends Transform {
  readonly #expected: Expected
  readonly #hash
  #length = 0

  constructor(expected: Expected) {
    super()
    this.setMaxListeners(mostListeners)
    this.#expected = expected
    this.#hash = createHash(algorithmOf(expected.digest))
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const { size, onBytes, refuse } = this.#expected
    this.#length += chunk.length
    onBytes(chunk.length)
    if (size !== null && this.#length > size) {
      return done(refuse(`has more than the ${size} bytes that its manifest says`))
    }
    this.#hash.update(chunk)
    done(null, chunk)
  }

  override _flush(done: Done): void {
    const { digest, size, refuse } = this.#expected
    if (size !== null && this.#length < size) {
      return done(refuse(`has ${this.#length} bytes, its manifest says ${size}`))
    }
    const found = this.#hash.digest('hex')
    if (found === hexOf(digest)) return done()
    done(
      refuse(
        `is not what it is said to be: expected ${digest}, found ${algorithmOf(digest)}:${found}`,
      ),
    )
  }
}
