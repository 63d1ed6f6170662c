import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../../src/image/digest.ts'
import {
  binary,
  extended,
  member,
  records,
  tarOf,
  type Entry,
} from '../../../fixtures/tar-by-hand.ts'
import { content, disk, file, refusal } from './images.ts'

type Pieces = readonly (Entry | Buffer)[]

const pax = (values: { readonly [key: string]: string }) => extended(records(values))

describe('a layer is refused as damaged', () => {
  const raw = (text: string) => extended(Buffer.from(text, 'latin1'))
  const refused: { readonly [title: string]: readonly [Pieces, string] } = {
    'with a wrong checksum': [
      [{ ...disk, after: (block) => void (block[0] = 0x44) }],
      'it is no tar',
    ],
    'with a wrong checksum later': [
      [file('a'), { ...disk, after: (block) => void (block[150] = 0x39) }],
      'no sound header begins at byte 1024',
    ],
    'with an unknown magic': [
      [file('a'), { ...disk, magic: 'ustar\x0099' }],
      'no sound header begins at byte 1024',
    ],
    'with a size that is no number': [
      [{ ...disk, size: '0000000572x\0' }],
      'the size in the header at byte 0 is no number',
    ],
    'with digits behind its size': [[{ ...disk, size: '00005670\x00001\0' }], 'is no number'],
    'with a size below zero': [[{ ...disk, size: Buffer.alloc(12, 0xff) }], 'is no number'],
    'with a size beyond all files': [[{ ...disk, size: binary(2 ** 53) }], 'is no number'],
    'with a PAX size that is no number': [[pax({ size: '12x' }), disk], '"12x" as size'],
    'with a PAX size below zero': [[pax({ size: '-1' }), disk], '"-1" as size'],
    'with a PAX size beyond all files': [[pax({ size: '99999999999999999' }), disk], 'as size'],
    'with an empty PAX size': [[pax({ size: '' }), disk], 'no "size"'],
    'with NUL in a PAX path': [[pax({ path: 'disk/x.img\0y' }), disk], 'no "path"'],
    'with two PAX paths': [
      [
        extended(Buffer.concat([records({ path: 'disk/x.img' }), records({ path: 'disk/x.img' })])),
        disk,
      ],
      '"path" twice',
    ],
    'with a PAX length that is too short': [[raw('11 comment=x\n'), disk], 'a length'],
    'with a PAX length that is too long': [[raw('99 comment=x\n'), disk], 'a length'],
    'with a PAX length that is none': [[raw('x comment=x\n'), disk], 'a length'],
    'with a PAX length with zeros': [[raw('013 comment=x\n'), disk], 'a length'],
    'with a PAX record without a key': [[raw('5 =x\n'), disk], 'without a key'],
    'with a PAX record without =': [[raw('5 xy\n'), disk], 'without a key'],
    'with zeros behind PAX records': [
      [extended(Buffer.concat([records({ a: 'b' }), Buffer.alloc(3)])), disk],
      'a length',
    ],
    'with two PAX headers': [
      [pax({ a: 'b' }), pax({ a: 'b' }), disk],
      '"x" comes too late or twice',
    ],
    'with a global PAX header too late': [
      [pax({ a: 'b' }), extended(records({ a: 'b' }), 'g'), disk],
      '"g" comes too late',
    ],
    'with a PAX header at the end': [[disk, pax({ path: 'disk/y.img' })], 'no member follows'],
    'with a PAX header of 1 MiB and more': [
      [extended(Buffer.alloc(1_048_577)), disk],
      'has 1048577 bytes',
    ],
    'with something else than a tar': [
      [Buffer.from('<html>'.repeat(1000))],
      'it is no tar, whatever its media type says',
    ],
  }

  test.each(Object.entries(refused))('%s', async (_, [pieces, expected]) => {
    const tar = tarOf(...pieces)
    const message = await refusal('CORRUPT_ARCHIVE', [tar])
    expect(message).toContain(expected)
    expect(message.startsWith(`layer ${digestOf(tar)}: `)).toBe(true)
  })

  test.each([
    ['no bytes', Buffer.alloc(0)],
    ['no whole header', member(disk).subarray(0, 300)],
    ['no whole disk', member(disk).subarray(0, 512 + content.length - 1)],
    ['the start of another header', Buffer.concat([member(disk), Buffer.from('etc/')])],
    [
      'no member behind its extended header',
      Buffer.concat([member(disk), extended(records({ path: 'etc/a' }))]),
    ],
  ])('with %s', async (_, tar) => {
    expect(await refusal('CORRUPT_ARCHIVE', [tar])).toContain('it was cut off at byte')
  })
})

test('PAX records without end are refused', async () => {
  const flood = extended(Buffer.from('6 a=b\n'.repeat(1001)))
  expect(await refusal('CORRUPT_ARCHIVE', [tarOf(flood, disk)])).toContain('more than 1000')
})
