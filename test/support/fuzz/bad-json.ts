import type { Random } from '../random.ts'

/** A way to spoil the text of a JSON object; `isJson` tells whether it is one still. */
export type Spoil = {
  readonly what: string
  readonly isJson: boolean
  readonly of: (text: string, random: Random) => Uint8Array<ArrayBuffer>
}

const bytes = (text: string) => Buffer.from(text)
const spoil = (what: string, of: (text: string, random: Random) => Uint8Array<ArrayBuffer>) => ({
  what,
  isJson: false,
  of,
})
const keep = (what: string, of: (text: string, random: Random) => string) => ({
  what,
  isJson: true,
  of: (text: string, random: Random) => bytes(of(text, random)),
})

/** As a first member, behind which come the others; or alone. */
function first(text: string, member: string): string {
  const rest = text.slice(1)
  return `{${member}${rest === '}' ? '' : ','}${rest}`
}

function nested(depth: number, random: Random): string {
  return random.below(2) === 0
    ? '['.repeat(depth) + ']'.repeat(depth)
    : '{"a":'.repeat(depth) + '0' + '}'.repeat(depth)
}

export const broken: readonly [Spoil, ...Spoil[]] = [
  spoil('nothing', () => Buffer.alloc(0)),
  spoil('a piece', (text, random) => bytes(text.slice(0, -1 - random.below(text.length - 1)))),
  spoil('something behind it', (text, random) =>
    bytes(text + random.pick(['x', '{}', ',', '\0', ']', '//'])),
  ),
  spoil('a byte order mark', (text) => bytes(`\uFEFF${text}`)),
  spoil('UTF-16', (text) => Buffer.from(text, 'utf16le')),
  spoil('UTF-16 with its mark', (text) => Buffer.from(`\uFEFF${text}`, 'utf16le')),
  spoil('bytes that are no UTF-8', (text, random) => {
    const bad = random.pick([[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]])
    return Buffer.concat([bytes('{"x":"'), Buffer.from(bad), bytes(`",${text.slice(1)}`)])
  }),
  spoil('a comment', (text) => bytes(`/* */${text}`)),
  spoil('NaN', (text) => bytes(first(text, '"x":NaN'))),
  spoil('a trailing comma', (text) => bytes(`${text.slice(0, -1)},}`)),
  spoil('single quotes', (text) => bytes(text.replaceAll('"', "'"))),
  spoil('a control character in a string', (text) => bytes(first(text, '"x":"\u0000"'))),
  spoil('a number with a leading zero', (text) => bytes(first(text, '"x":01'))),
  spoil('unclosed nesting', (text) => bytes(first(text, `"x":${'['.repeat(50_000)}`))),
  spoil('noise', (text, random) => {
    const noise = bytes(text)
    for (let left = 1 + random.below(20); left > 0; left -= 1) {
      noise[random.below(noise.length)] = random.below(32)
    }
    // The first byte decides: no JSON begins so.
    noise[0] = 1
    return noise
  }),
]

/** Other ways to write the same object, or one with more members that nobody asks for. */
export const odd: readonly [Spoil, ...Spoil[]] = [
  keep('white space around it', (text, random) => ` \t\r\n${text}${'\n'.repeat(random.below(9))}`),
  keep('much white space', (text) => `${text}${' '.repeat(100_000)}`),
  keep('a nested member', (text, random) => first(text, `"x":${nested(40, random)}`)),
  keep('a deeply nested member', (text, random) => first(text, `"x":${nested(20_000, random)}`)),
  keep('a name like a prototype', (text) => first(text, '"__proto__":{"isAdmin":true}')),
  keep('a name like a constructor', (text) =>
    first(text, '"constructor":{"prototype":{"isAdmin":true}},"toString":1'),
  ),
  keep('a huge number', (text) => first(text, '"x":1e400,"y":-1e400,"z":123456789012345678901234')),
  keep('half of a surrogate pair', (text) => first(text, String.raw`"x":"\ud800"`)),
  keep('an empty name', (text) => first(text, '"":""')),
  keep('the same name twice', (text) => first(text, '"x":1,"x":2')),
  keep('many members', (text) =>
    first(text, Array.from({ length: 3000 }, (_, at) => `"x${at}":0`).join(',')),
  ),
]

/** JSON, but no object. */
export const noObjects = ['null', 'true', '0', '-0', '""', '[]', '[{}]', '"\\u0000"', '[[]]']
