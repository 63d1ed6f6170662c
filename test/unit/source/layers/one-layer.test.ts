import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../../src/image/digest.ts'
import {
  binary,
  end,
  extended,
  magics,
  member,
  octal,
  records,
  tarOf,
  type Entry,
} from '../../../fixtures/tar-by-hand.ts'
import { content, disk, expectDisk, file, find, folder, gzipped, plain, refusal } from './images.ts'

type Pieces = readonly (Entry | Buffer)[]

/** Its own length would do for 10 000 bytes more than there are. */
const long = `disk/${'d'.repeat(150)}.img`
const size = String(content.length)
const pax = (values: { readonly [key: string]: string }) => extended(records(values))
const gnuLong = (name: string) => extended(Buffer.from(`${name}\0`), 'L', { magic: magics.gnu })

describe('a disk is found', () => {
  const accepted: { readonly [title: string]: Pieces } = {
    'as disk/x.img': [folder('disk/'), disk],
    'as ./disk/x.img': [folder('./'), folder('./disk/'), { ...disk, name: './disk/x.img' }],
    'as /disk/x.img': [{ ...disk, name: '/disk/x.img' }],
    'without a directory before it': [disk],
    'before its directory': [disk, folder('disk/')],
    'between other files': [file('etc/a'), disk, file('usr/b'), file('zzz', Buffer.alloc(100_000))],
    'beside directories': [folder('disk/lost+found/'), disk],
    'beside a file in a directory': [file('disk/sub/y.img'), disk],
    'beside a link within a directory': [
      disk,
      { name: 'disk/sub/l', flag: '2', linkname: '../x.img' },
      { name: 'disk/sub/h', flag: '1', linkname: 'disk/x.img' },
    ],
    'beside diskfoo and Disk': [file('diskfoo'), file('Disk/y.img'), file('disk.img'), disk],
    'beside disk in a directory': [file('var/disk/y.img'), disk],
    'with a hard link to it elsewhere': [
      disk,
      { name: 'root/y', flag: '1', linkname: 'disk/x.img' },
    ],
    'with links upwards elsewhere': [{ name: 'a', flag: '2', linkname: '../../etc' }, disk],
    'with devices elsewhere': [
      { name: 'dev/a', flag: '3' },
      { name: 'dev/b', flag: '4' },
      { name: 'dev/c', flag: '6' },
      { name: 'dev/d', flag: '7', data: content },
      disk,
    ],
    'with absolute names elsewhere': [file('/etc/passwd'), file('//etc//x/./y'), disk],
    'with a whiteout of its own name in the same layer': [disk, file('disk/.wh.x.img')],
    'with an opaque marker before it': [file('disk/.wh..wh..opq'), disk],
    'with an opaque marker behind it': [disk, file('disk/.wh..wh..opq')],
    "with aufs' own files": [file('disk/.wh..wh.plnk'), file('.wh..wh.aufs'), disk],
    'with typeflag NUL': [{ ...disk, flag: '\0' }],
    'with a prefix': [{ ...disk, name: 'x.img', prefix: 'disk' }],
    'in the format before ustar': [
      { name: 'disk/', flag: '\0', magic: magics.v7 },
      { ...disk, flag: '\0', magic: magics.v7 },
    ],
    "in GNU's format, whose prefix is none": [{ ...disk, magic: magics.gnu, prefix: 'nowhere' }],
    'with blanks in its size': [{ ...disk, size: `      ${content.length.toString(8)} ` }],
    'with a binary size': [{ ...disk, size: binary(content.length), magic: magics.gnu }],
    'with twelve digits': [{ ...disk, size: octal(content.length, 13).slice(0, 12) }],
    'with its size in PAX only': [pax({ size }), { ...disk, size: octal(0, 12) }],
    'with its size in PAX and in the header': [pax({ size }), disk],
    'with its name in PAX': [pax({ path: 'disk/x.img' }), disk],
    'with a global PAX header': [extended(records({ comment: 'by git' }), 'g'), disk],
    'with any bytes in PAX': [pax({ 'SCHILY.xattr.a': 'x=\n\0y', mtime: '1.5' }), disk],
    'with a sparse file elsewhere': [
      extended(records({ 'GNU.sparse.major': '1', 'GNU.sparse.name': 'var/log' })),
      file('var/GNUSparseFile.1/log'),
      disk,
    ],
  }

  test.each(Object.entries(accepted))('%s', async (_, pieces) => {
    const tar = tarOf(...pieces)
    const { layer } = await expectDisk([tar])
    expect(layer).toMatchObject({ digest: digestOf(tar), size: tar.length })
  })

  test.each([
    ['PAX', [pax({ path: long }), { ...disk, name: long }]],
    ['GNU', [gnuLong(long), { ...disk, name: long }]],
  ] as const)('with a long name (%s)', async (_, pieces) => {
    await expectDisk([tarOf(...pieces)], long)
  })

  test('of no bytes', async () => {
    const { size, bytes } = await find([tarOf(file('disk/x.img', Buffer.alloc(0)))])
    expect([size, bytes.length]).toEqual([0, 0])
  })

  test.each([1, 511, 512, 513, 65_536, 1_000_000])('of %d bytes', async (size) => {
    const data = Buffer.alloc(size, 'a disk')
    const found = await find([tarOf(file('disk/x.img', data), file('etc/x'))])
    expect(found.size).toBe(size)
    expect(found.bytes.equals(data)).toBe(true)
  })

  test('when zeros follow the end', async () => {
    await expectDisk([Buffer.concat([tarOf(disk), Buffer.alloc(200_001)])])
  })
})

describe('a layer is refused as unsafe', () => {
  const link = (flag: string, linkname: string) => ({ name: 'disk/x.img', flag, linkname })
  const refused: { readonly [title: string]: readonly [Pieces, RegExp | string] } = {
    'with two disks': [
      [disk, file('disk/y.img')],
      'two files could be the disk, disk/x.img and disk/y.img',
    ],
    'with the disk twice': [[disk, disk], 'disk/x.img is there twice'],
    'with the disk twice in two spellings': [[disk, { ...disk, name: '/disk/x.img' }], 'twice'],
    'with the disk and a directory of its name': [[disk, folder('disk/x.img/')], 'twice'],
    'with a directory and the disk of its name': [[folder('disk/x.img/'), disk], 'twice'],
    'with the disk and a file below it': [[disk, file('disk/x.img/y')], 'twice'],
    'with a file below the disk': [[file('disk/x.img/y'), disk], 'twice'],
    'with a symbolic link as disk': [
      [link('2', '/etc/shadow')],
      'disk/x.img is a symbolic link to /etc/shadow',
    ],
    'with a hard link as disk': [
      [file('var/y.img'), link('1', 'var/y.img')],
      /disk\/x\.img is a hard link to var\/y\.img .*COPY of the one disk file/,
    ],
    'with a link beside the disk': [
      [disk, { name: 'disk/latest', flag: '2', linkname: 'x.img' }],
      'two files could be the disk, disk/x.img and disk/latest',
    ],
    'with a hard link to the disk beside it': [
      [disk, { name: 'disk/y.img', flag: '1', linkname: 'disk/x.img' }],
      'two files',
    ],
    'with a link before the disk': [
      [{ name: 'disk/latest', flag: '2', linkname: 'x.img' }, disk],
      'disk/latest is a symbolic link to x.img',
    ],
    'with a character device as disk': [[link('3', '')], 'is a character device'],
    'with a block device as disk': [[link('4', '')], 'is a block device'],
    'with a fifo as disk': [[link('6', '')], 'is a fifo'],
    'with a contiguous file as disk': [[{ ...disk, flag: '7' }], 'is a contiguous file'],
    'with a GNU sparse disk': [[{ ...disk, flag: 'S', magic: magics.gnu }], 'is sparse as GNU tar'],
    'with a GNU sparse file elsewhere': [[{ name: 'a', flag: 'S' }, disk], 'is sparse as GNU tar'],
    'with a PAX sparse disk': [
      [pax({ 'GNU.sparse.map': '0,512', 'GNU.sparse.size': '512' }), disk],
      'disk/x.img is sparse',
    ],
    'with a PAX sparse disk under its other name': [
      [
        pax({ 'GNU.sparse.major': '1', 'GNU.sparse.name': 'disk/x.img' }),
        file('disk/GNUSparseFile.7/x.img'),
      ],
      'is sparse',
    ],
    'with a sparse name that leads to the disk': [
      [pax({ 'GNU.sparse.name': 'disk/x.img' }), file('etc/GNUSparseFile.7/x.img')],
      'has the names "etc/GNUSparseFile.7/x.img" and "disk/x.img"',
    ],
    'with a symbolic link as disk/': [
      [{ name: 'disk', flag: '2', linkname: 'data' }],
      'disk is a symbolic link to data',
    ],
    'with disk a link and a directory': [
      [disk, { name: 'disk', flag: '2', linkname: 'data' }],
      'disk is a directory and something else',
    ],
    'with disk a file and a directory': [
      [file('disk'), disk],
      'disk is a directory and something else',
    ],
    'with .. before the disk': [[{ ...disk, name: '../disk/x.img' }], 'leads upwards'],
    'with .. within the name': [[{ ...disk, name: 'etc/../disk/x.img' }], 'leads upwards'],
    'with .. behind': [[file('disk/..'), disk], 'leads upwards'],
    'with .. elsewhere': [[disk, file('a/../../etc/passwd')], 'leads upwards'],
    'with an absolute name with ..': [[disk, file('/../etc/passwd')], 'leads upwards'],
    'with a symbolic link out of disk/': [
      [{ name: 'disk/sub/l', flag: '2', linkname: '../../etc' }, disk],
      'disk/sub/l leads out of disk/, to ../../etc',
    ],
    'with an absolute link out of disk/': [
      [{ name: 'disk/sub/l', flag: '2', linkname: '/etc' }, disk],
      'leads out of disk/',
    ],
    'with a hard link out of disk/': [
      [{ name: 'disk/sub/l', flag: '1', linkname: 'etc/a' }, disk],
      'leads out of disk/',
    ],
    'with disk//x.img': [[{ ...disk, name: 'disk//x.img' }], 'is spelled'],
    'with ././disk/x.img': [[{ ...disk, name: '././disk/x.img' }], 'is spelled'],
    'with //disk/x.img': [[{ ...disk, name: '//disk/x.img' }], 'is spelled'],
    'with disk/./x.img': [[{ ...disk, name: 'disk/./x.img' }], 'is spelled'],
    'with a file named as a directory': [[{ name: 'disk/x.img/' }], 'with the name of a directory'],
    'with a name of 256 bytes': [
      [pax({ path: `disk/${'d'.repeat(256)}` }), disk],
      'is longer than 255 bytes',
    ],
    'with two sizes': [[pax({ size: '1000' }), disk], 'has the sizes 3000 and 1000'],
    'with two sizes elsewhere': [
      [pax({ size: '512' }), file('a'), disk],
      'a has the sizes 1 and 512',
    ],
    'with a name in PAX that leads to the disk': [
      [pax({ path: 'disk/x.img' }), { ...disk, name: 'etc/a' }],
      'has the names "disk/x.img" and "etc/a"',
    ],
    'with a name in PAX that leads away': [[pax({ path: 'etc/a' }), disk], 'has the names'],
    'with a GNU name that leads to the disk': [
      [gnuLong('disk/x.img'), { ...disk, name: 'etc/a' }],
      'has the names',
    ],
    'with a GNU name that leads away': [[gnuLong('etc/a'), disk], 'has the names'],
    'with a GNU name beside one in PAX': [
      [gnuLong('etc/b'), pax({ path: 'disk/x.img' }), disk],
      'has the names "disk/x.img" and "etc/b"',
    ],
    'with a whiteout for some readers': [
      [pax({ path: 'disk/x.img' }), { ...disk, name: 'disk/.wh.x.img' }],
      'has the names',
    ],
    'with names for all that follow': [
      [extended(records({ path: 'disk/x.img' }), 'g'), disk],
      'a global PAX header sets "path"',
    ],
    'with a size for all that follow': [
      [extended(records({ size }), 'g'), disk],
      'a global PAX header sets "size"',
    ],
    'with an unknown type': [[{ name: 'a', flag: 'V' }, disk], 'readers understand differently: V'],
    "with Solaris' PAX headers": [
      [{ name: 'a', flag: 'X' }, disk],
      'readers understand differently: X',
    ],
    'with a directory that has bytes': [
      [{ name: 'a/', flag: '5', data: content }, disk],
      'a/ is a directory of 3000 bytes',
    ],
    'with a link that has bytes': [
      [{ name: 'a', flag: '1', linkname: 'b', data: content }, disk],
      'a hard link of 3000 bytes',
    ],
    'with a fifo that has bytes in PAX': [
      [pax({ size: '512' }), { name: 'a', flag: '6' }, disk],
      'a fifo of 512 bytes',
    ],
    'with a whiteout of ..': [[file('disk/.wh...'), disk], 'names no file'],
    'with a whiteout of nothing': [[file('disk/.wh.'), disk], 'names no file'],
    'with a member behind the end': [
      [disk, end, { ...disk, name: 'disk/y.img' }],
      'something follows behind its end',
    ],
    'with a member behind half an end': [
      [disk, end.subarray(512), file('etc/a')],
      'something follows behind its end',
    ],
  }

  test.each(Object.entries(refused))('%s', async (_, [pieces, expected]) => {
    const tar = tarOf(...pieces)
    const message = await refusal('UNSAFE_ARCHIVE', [tar])
    expect(message).toMatch(expected)
    expect(message.startsWith(`layer ${digestOf(tar)}: `)).toBe(true)
  })

  test('when a second reader finds another name', async () => {
    const tar = tarOf(extended(Buffer.from('\0'), 'L'), file('etc/a'), disk)
    const message = await refusal('UNSAFE_ARCHIVE', [tar])
    expect(message).toContain('etc/a is read by some and not by others')
  })

  test('with a byte behind the end, far away', async () => {
    const tar = Buffer.concat([tarOf(disk), Buffer.alloc(300_000), Buffer.from('x')])
    expect(await refusal('UNSAFE_ARCHIVE', [tar])).toContain('something follows behind its end')
  })

  test('with more than 10 000 whiteouts in disk/', async () => {
    const markers = Array.from({ length: 10_001 }, (_, at) => file(`disk/.wh.${at}`))
    await expectDisk([tarOf(...markers.slice(1), disk)])
    expect(await refusal('UNSAFE_ARCHIVE', [tarOf(...markers, disk)])).toContain('10000 names')
  })
})

describe('a layer without the end of its archive', () => {
  test.each([
    ['and padded', member(disk)],
    ['and not padded', member(disk).subarray(0, 512 + content.length)],
    ['and half padded', member(disk).subarray(0, 512 + content.length + 7)],
    ['but for one block', Buffer.concat([member(disk), Buffer.alloc(512)])],
    ['behind another member', Buffer.concat([member(disk), member(file('etc/a'))])],
  ])('is taken as umoci writes it, %s', async (_, tar) => {
    for (const stored of [plain(tar), gzipped(tar)]) {
      const found = await find([stored])
      expect(found.bytes.equals(content)).toBe(true)
    }
  })
})

test('a name that only a PAX record can hold may stand beside the name that packers write for none', async () => {
  const name = `disk/${'x'.repeat(200)}.img`
  const named = { ...disk, name: 'PaxHeader' }
  const found = await find([plain(tarOf(pax({ path: name }), named))])
  expect(found.name).toBe(name)
  expect(
    await refusal('UNSAFE_ARCHIVE', [tarOf(pax({ path: name }), { ...disk, name: 'other' })]),
  ).toContain('has the names')
})
