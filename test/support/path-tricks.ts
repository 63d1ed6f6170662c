import type { Random } from './random.ts'

const hex64 = 'a'.repeat(64)

/** Names as nobody means them, as they stand in JSON. */
export const tricks = [
  '..',
  '.',
  '...',
  '../x',
  '../../../../../../tmp/x',
  '/etc/passwd',
  '//x',
  'a/../b',
  'a/./b',
  'a//b',
  'a/',
  '..\\..\\x',
  'C:\\x',
  '\\\\host\\share',
  'a\0b',
  '\0',
  'a\r\nX-Injected: 1',
  'a\nb',
  '\u2024\u2024/x',
  '\uff0e\uff0e\uff0fx',
  '\u202eosi.x',
  '\ud800',
  'a\u0300',
  'A',
  'Victim',
  'a.',
  'a ',
  ' a',
  '-rf',
  '--help',
  '_tags',
  '_store',
  '_store/id',
  'a/_tags/latest',
  '.new',
  '.new-x',
  'id',
  'con',
  'nul.txt',
  'aux',
  'lpt1',
  '~',
  '~root',
  '$HOME',
  '$(id)',
  '`id`',
  '%2e%2e',
  '%00',
  '%s%n',
  "'; drop table images; --",
  '__proto__',
  'constructor',
  'catalog.sqlite',
  'server.key',
  'lock',
  'staging',
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(4096),
  `${'x/'.repeat(127)}x`,
  'sha256:..',
  'sha256:../../../etc/passwd',
  `sha256:${hex64}`,
  `sha256:${hex64.toUpperCase()}`,
  `sha256:${hex64}/../..`,
  `sha512:${hex64}`,
  `md5:${'a'.repeat(32)}`,
] as const

/** Pieces of paths, as they go over the wire. */
const pieces = [
  '..',
  '.',
  '%2e%2e',
  '%2E.',
  '%252e%252e',
  '%c0%ae%c0%ae',
  '%e0%80%ae',
  '%ef%bc%8e',
  '%u002e',
  '/',
  '%2f',
  '%2F',
  '%252f',
  '%c0%af',
  '%5c',
  '\\',
  '%00',
  '%0d%0aX-Injected:%201',
  ';',
  '%3b',
  '?',
  '#',
  '%',
  '%zz',
  '%e0%a4%a',
  'a',
  '_tags',
  'cvi',
  'cvi/victim',
  'manifests',
  'blobs',
  'uploads',
  'latest',
  ':',
  '@',
  '~',
  '+',
] as const

/** A name as it stands in the target of a request. */
export function trickInPath(random: Random): string {
  const whole = tricks[random.below(2 * tricks.length)]
  if (whole !== undefined) return encodedOf(whole, random)
  return Array.from({ length: 1 + random.below(5) }, () => random.pick(pieces)).join('')
}

/** Escaped as a careful client does, or as little as the first line of a request allows. */
function encodedOf(name: string, random: Random): string {
  const bytes = [...Buffer.from(name)]
  const isPlain = random.below(2) === 0 ? /[\w./\\:~-]/ : /[\w.~-]/
  return bytes.map((byte) => charOf(byte, isPlain)).join('')
}

function charOf(byte: number, isPlain: RegExp): string {
  const char = String.fromCharCode(byte)
  return isPlain.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`
}
