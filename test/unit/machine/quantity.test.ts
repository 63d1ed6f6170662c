import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatQuantity, parseQuantity, quantitySchema } from '../../../src/machine/quantity.ts'

const byte = 1_000_000_000n
const wrong = 'must be a quantity such as 512Mi, 1.5Gi or 1e9'

describe('a quantity', () => {
  test.each([
    ['0', 0n],
    ['1', byte],
    ['+1', byte],
    ['-1', -byte],
    ['0.5', byte / 2n],
    ['.5', byte / 2n],
    ['5.', 5n * byte],
    ['007', 7n * byte],
    ['1n', 1n],
    ['1u', 1000n],
    ['1m', 1_000_000n],
    ['1000m', byte],
    ['1k', 1000n * byte],
    ['1M', 10n ** 6n * byte],
    ['1G', 10n ** 9n * byte],
    ['1T', 10n ** 12n * byte],
    ['1P', 10n ** 15n * byte],
    ['1E', 10n ** 18n * byte],
    ['1Ki', byte << 10n],
    ['1Mi', byte << 20n],
    ['1Gi', byte << 30n],
    ['1Ti', byte << 40n],
    ['1Pi', byte << 50n],
    ['16Ei', byte << 64n],
    ['1.5Gi', 3n * (byte << 29n)],
    ['0.1Ki', 102_400_000_000n],
    ['1e9', 10n ** 9n * byte],
    ['1E9', 10n ** 9n * byte],
    ['1e+9', 10n ** 9n * byte],
    ['1e-9', 1n],
    ['1.25e1', 12_500_000_000n],
    ['0.0000000010', 1n],
    ['9007199254740993', 9_007_199_254_740_993n * byte],
  ])('%s is read exactly', (text, amount) => {
    expect(parseQuantity(text)).toBe(amount)
  })

  test.each([
    '',
    ' 1',
    '1 ',
    '.',
    '-',
    '+.',
    'Gi',
    '1e3Mi',
    '1Mi1',
    '1K',
    '1KI',
    '1gi',
    '1GiB',
    '1B',
    '1e',
    '1e1.5',
    '1e999999999',
    '1E-',
    '--1',
    '1,5',
    '1_000',
    '0x10',
    'NaN',
    'Infinity',
    '１',
    '1\n',
    '1e-10',
    '0.1n',
    '1.0000000001',
  ])('is not %j', (text) => {
    expect(parseQuantity(text)).toBe(null)
    expect(quantitySchema.safeParse(text).error?.issues.map(({ message }) => message)).toEqual([
      wrong,
    ])
  })

  test('has at most 64 characters', () => {
    expect(parseQuantity('9'.repeat(64))).toBe((10n ** 64n - 1n) * byte)
    const nines = '9'.repeat(1000)
    const long = [
      '9'.repeat(65),
      nines,
      `0.${nines}`,
      `${nines}Ei`,
      `1e${nines}`,
      '0'.repeat(1_000_000),
    ]
    expect(long.map(parseQuantity)).toEqual(long.map(() => null))
    expect(long.map((text) => quantitySchema.safeParse(text).success)).not.toContain(true)
  })

  test.each([
    [1_073_741_824, '1Gi'],
    [0.5, '500m'],
    [1e21, null],
    [9_007_199_254_740_991, '9007199254740991'],
    [2 ** 53, null],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null],
    [null, null],
    [true, null],
    [['1Gi'], null],
    [{}, null],
  ])('may be the value %j where that says what was written', (value, shown) => {
    const read = quantitySchema.safeParse(value)
    expect(read.success ? formatQuantity(read.data) : null).toBe(shown)
  })

  test.each([
    ['0', '0'],
    ['-1Gi', '-1Gi'],
    ['1.5Gi', '1536Mi'],
    ['1024', '1Ki'],
    ['1025', '1025'],
    ['1024Ei', '1024Ei'],
    ['16384Pi', '16Ei'],
    ['1G', '1000000000'],
    ['1024e6', '1000000Ki'],
    ['0.5', '500m'],
    ['1500m', '1500m'],
    ['1.000001', '1000001u'],
    ['3n', '3n'],
  ])('%s is shown as %s', (text, shown) => {
    expect(formatQuantity(parseQuantity(text) ?? -1n)).toBe(shown)
  })

  test('that is shown is the same when it is read again', () => {
    const amounts = fc.bigInt({ min: -(1n << 100n), max: 1n << 100n })
    fc.assert(
      fc.property(amounts, (amount) => {
        expect(parseQuantity(formatQuantity(amount))).toBe(amount)
      }),
    )
  })

  test('never comes of what is no quantity by the grammar of Kubernetes', () => {
    const grammar = /^[+-]?(?:\d+|\d+\.\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]?|[eE][+-]?\d+)$/
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'0159.+-eEiKMGmnuk'.split('')) }),
    )
    fc.assert(
      fc.property(texts, (text) => {
        if (parseQuantity(text) !== null) expect(text).toMatch(grammar)
        else if (grammar.test(text)) expect(text).toMatch(/e|E|n|u|m|\.|^.{65}/)
      }),
    )
  })
})
