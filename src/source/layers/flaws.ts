import { Flaw, type Code } from '../../errors.ts'
import type { BlobPart } from '../registry/registry.ts'

/** A tar that readers could understand in more than one way, or that puts something else where the disk has to be. */
export function unsafe(what: string): Flaw {
  return new Flaw('UNSAFE_ARCHIVE', what)
}

/** A tar that no reader understands. */
export function damaged(what: string): Flaw {
  return new Flaw('CORRUPT_ARCHIVE', `${what}; build the image again and push it`)
}

/** A layer is not what the manifest or the config says. */
export function lie({ digest }: BlobPart, what: string): Flaw {
  const message = `layer ${digest} ${what}; push the image again, or look at its registry`
  return new Flaw('INVALID_OCI', message)
}

/** Flaws of what is inside a layer, which know nothing of the layer. */
const inside = [
  'UNSAFE_ARCHIVE',
  'CORRUPT_ARCHIVE',
  'UNSUPPORTED_FORMAT',
  'DECOMPRESSION_LIMIT',
] as const

function isInside(code: Code): code is (typeof inside)[number] {
  return inside.some((each) => each === code)
}

/** Such a flaw with the layer's name; anything else as it is. */
export function ofLayer<Thrown>(error: Thrown, { digest }: BlobPart): Thrown | Flaw {
  if (!(error instanceof Flaw) || !isInside(error.code)) return error
  return new Flaw(error.code, `layer ${digest}: ${error.message}`, { cause: error.cause })
}

/** Characters of a name that a message tells. */
const mostShown = 100

/** A name out of a tar, fit for a message: short, and without control characters. */
export function shown(name: string): string {
  const plain = name.slice(0, mostShown).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?')
  return name.length > mostShown ? `${plain}…` : plain
}
