import { Flaw } from '../errors.ts'

/** The program that tests a file of each compression, for the one who has to find out what is wrong with it. */
const testers: { readonly [name: string]: string } = {
  gzip: 'gzip -t',
  xz: 'xz -t',
  zstd: 'zstd -t',
  bzip2: 'bzip2 -t',
}

/** @param what goes before "of the compressed file", so it ends with a byte's position */
export function corrupt(name: string, what: string, cause?: unknown): Flaw {
  const message =
    `the ${name} file is not sound: ${what} of the compressed file; ` +
    `test it with "${testers[name] ?? name} <file>" and send a whole one`
  return new Flaw('CORRUPT_ARCHIVE', message, { cause })
}

export function cutOff(name: string, position: number, cause?: unknown): Flaw {
  return corrupt(name, `it was cut off at byte ${position}`, cause)
}

export function unsupported(name: string, what: string, remedy: string): Flaw {
  return new Flaw(
    'UNSUPPORTED_FORMAT',
    `the ${name} file ${what}, which is not read here; ${remedy}`,
  )
}

/** Memory that one file may make its decoder hold; xz -9 needs 64 MiB, zstd --ultra -22 and --long=27 need 128. */
export const mostWindow = 128 * 1024 * 1024

export function windowTooLarge(name: string, window: number, remedy: string): Flaw {
  const size = Math.ceil(window / 1024 / 1024)
  return new Flaw(
    'DECOMPRESSION_LIMIT',
    `the ${name} file needs more memory to unpack than the 128 MiB that are given (it asks for ${size} MiB); ${remedy}`,
  )
}
