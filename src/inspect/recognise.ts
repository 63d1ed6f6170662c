import { Flaw } from '../errors.ts'
import type { Inspector, Stranger } from './inspector.ts'
import { fallback, signatures } from './table.ts'
import type { Windows } from './windows.ts'

/**
 * The one format that the bytes claim. A partition table or a filesystem is content and claims nothing, and so is UDF
 * beside ISO 9660; two formats at once are refused, because each reader would see another disk.
 * @throws Flaw AMBIGUOUS_FORMAT, UNSUPPORTED_FORMAT, EXTERNAL_REFERENCE, ENCRYPTED_IMAGE
 */
export function recognise(windows: Windows): Inspector {
  const [first, second] = signatures.filter((signature) => signature.matches(windows))
  if (first && second) {
    throw new Flaw(
      'AMBIGUOUS_FORMAT',
      `the file is two things at once, ${first.title} and ${second.title}; make it anew as one of them`,
    )
  }
  if (!first) return fallback
  if (isStranger(first)) throw new Flaw(first.code, first.message)
  return first
}

function isStranger(signature: Inspector | Stranger): signature is Stranger {
  return 'message' in signature
}
