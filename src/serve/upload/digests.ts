import { Refusal } from '../../errors.ts'
import { checksumSchema, type Checksums } from '../../image/data-source.ts'
import type { ChecksumAlgorithm } from '../../image/digest.ts'

/** RFC 9530 section 7.2, the algorithms that are active or that users of checksums still have. */
const ofFields: Readonly<Record<string, ChecksumAlgorithm>> = {
  'sha-256': 'sha256',
  'sha-512': 'sha512',
  sha: 'sha1',
  md5: 'md5',
}

/**
 * `Content-Digest` or `Repr-Digest` (RFC 9530): a dictionary of byte sequences. Algorithms that nobody here knows are left out.
 * @throws Refusal INVALID_REQUEST
 */
export function digestField(name: string, value: string | undefined): Checksums {
  if (value === undefined) return {}
  const entries = value.split(',').map((member) => {
    const [, algorithm = '', base64] =
      /^\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):\s*$/.exec(member) ?? []
    if (base64 === undefined) throw unreadable(name, 'sha-256=:<base64>:')
    return [ofFields[algorithm], Buffer.from(base64, 'base64').toString('hex')] as const
  })
  return checked(name, entries)
}

const ofTus: Readonly<Record<string, ChecksumAlgorithm>> = {
  sha1: 'sha1',
  md5: 'md5',
  sha256: 'sha256',
  sha512: 'sha512',
}

/** The names that `Tus-Checksum-Algorithm` tells. */
export const tusAlgorithms = Object.keys(ofTus).join(',')

/**
 * `Upload-Checksum` (tus 1.0, "Checksum"): an algorithm, a space, and base64.
 * @throws Refusal INVALID_REQUEST
 */
export function tusChecksum(value: string | undefined): Checksums {
  if (value === undefined) return {}
  const [, name = '', base64] = /^([a-z0-9]+) ([A-Za-z0-9+/]+={0,2})$/.exec(value) ?? []
  const algorithm = ofTus[name]
  if (base64 === undefined || !algorithm) {
    throw unreadable('Upload-Checksum', `one of ${tusAlgorithms}, a space, and base64`)
  }
  return checked('Upload-Checksum', [[algorithm, Buffer.from(base64, 'base64').toString('hex')]])
}

function checked(
  name: string,
  entries: readonly (readonly [ChecksumAlgorithm | undefined, string])[],
): Checksums {
  const known = entries.filter(([algorithm]) => algorithm !== undefined)
  const result = checksumSchema.safeParse(Object.fromEntries(known))
  if (result.success) return result.data
  throw unreadable(name, 'as long as its algorithm makes it')
}

function unreadable(name: string, wanted: string): Refusal {
  return new Refusal('INVALID_REQUEST', `the header ${name} cannot be read; a digest is ${wanted}`)
}
