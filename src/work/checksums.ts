import { Flaw } from '../errors.ts'
import type { Checksums } from '../image/data-source.ts'
import type { ChecksumAlgorithm } from '../image/digest.ts'
import type { Hashes } from '../store/digester.ts'

const known = ['md5', 'sha1', 'sha256', 'sha512'] as const

function expected(
  checksums: Checksums,
): readonly (readonly [algorithm: ChecksumAlgorithm, hex: string])[] {
  return known.flatMap((algorithm) => {
    const hex = checksums[algorithm]
    return hex === undefined ? [] : [[algorithm, hex] as const]
  })
}

export function algorithmsOf(checksums: Checksums): readonly ChecksumAlgorithm[] {
  return expected(checksums).map(([algorithm]) => algorithm)
}

type Mismatch = {
  readonly algorithm: ChecksumAlgorithm
  readonly found: string | undefined
  readonly hex: string
}

/** The first that does not hold, null when all do. */
export function mismatch(found: Hashes | Checksums, checksums: Checksums): Mismatch | null {
  const wrong = expected(checksums).find(([algorithm, hex]) => found[algorithm] !== hex)
  if (!wrong) return null
  const [algorithm, hex] = wrong
  return { algorithm, found: found[algorithm], hex }
}

/** @throws Flaw CHECKSUM_MISMATCH */
export function compare(found: Hashes, checksums: Checksums): void {
  const wrong = mismatch(found, checksums)
  if (!wrong) return
  throw new Flaw(
    'CHECKSUM_MISMATCH',
    `${wrong.algorithm} of the source is ${wrong.found}, expected ${wrong.hex}; check the file and the checksum, then create the image again`,
  )
}
