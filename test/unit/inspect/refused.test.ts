import { describe, expect, test } from 'vitest'
import { iso } from '../../fixtures/iso.ts'
import { qcow2 } from '../../fixtures/qcow2.ts'
import { bytesAt } from '../../fixtures/raw.ts'
import { tar } from '../../fixtures/tar.ts'
import { inspect, refusal, verdict } from '../../fixtures/verdict.ts'

const text = (content: string) => Buffer.from(content)

describe('a file of a format that is not read', () => {
  test.each([
    ['VMDK', text('# Disk DescriptorFile\nversion=1\n'), 'EXTERNAL_REFERENCE'],
    [
      'VMDK',
      text('# mine\n\n# too\nversion=2\r\nRW 4 FLAT "/etc/passwd" 0\n'),
      'EXTERNAL_REFERENCE',
    ],
    ['COWD', bytesAt(0, 'COWD'), 'UNSUPPORTED_FORMAT'],
    ['seSparse', bytesAt(0, [0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0]), 'UNSUPPORTED_FORMAT'],
    ['VHD (before 2004)', bytesAt(5_000_000 - 511, 'conectix', 5_000_000), 'UNSUPPORTED_FORMAT'],
    ['qcow (version 1)', bytesAt(0, 'QFI\xfb\0\0\0\x01'), 'UNSUPPORTED_FORMAT'],
    ['QED', bytesAt(0, 'QED\0'), 'UNSUPPORTED_FORMAT'],
    ['Parallels', bytesAt(0, 'WithoutFreeSpace'), 'UNSUPPORTED_FORMAT'],
    ['ploop', bytesAt(0, 'WithouFreSpacExt'), 'UNSUPPORTED_FORMAT'],
    ['Bochs', bytesAt(0, 'Bochs Virtual HD Image'), 'UNSUPPORTED_FORMAT'],
    ['cloop', bytesAt(0, '#!/bin/sh\n#V2.0 Format\n'), 'UNSUPPORTED_FORMAT'],
    ['DMG', bytesAt(5_000_000 - 512, 'koly', 5_000_000), 'UNSUPPORTED_FORMAT'],
    ['LUKS', bytesAt(0, 'LUKS\xba\xbe\0\x01'), 'ENCRYPTED_IMAGE'],
  ])('(%s) is refused by its name', (name, file, code) => {
    const refused = refusal(() => inspect(file))
    expect(refused.code).toBe(code)
    expect(refused.message).toContain(name)
    expect(refused.message).toMatch(/qemu-img convert -f|cryptsetup/)
  })

  test('is not meant when the same bytes stand elsewhere', () => {
    for (const magic of ['KDMV', 'QFI\xfb', 'conectix', 'koly', 'LUKS\xba\xbe', 'vhdxfile']) {
      expect(verdict(bytesAt(1024, magic))).toBe('accepted')
    }
  })
})

describe('a file that is two things at once', () => {
  test('is refused, even when one of them would be refused anyway', () => {
    const both = iso()
    qcow2({ backingOffset: 512n, backingLength: 4 }).copy(both, 0, 0, 4096)
    expect(refusal(() => inspect(both))).toMatchObject({
      code: 'AMBIGUOUS_FORMAT',
      message: expect.stringContaining('qcow2 and ISO 9660'),
    })
    const sparse = iso()
    sparse.write('KDMV')
    expect(verdict(sparse)).toBe('AMBIGUOUS_FORMAT')
  })

  test('is refused when the other shows only at its end', () => {
    const file = Buffer.concat([qcow2(), bytesAt(0, 'koly', 512)])
    expect(verdict(file)).toBe('AMBIGUOUS_FORMAT')
  })
})

describe('a file that is no disk', () => {
  test.each([
    ['empty', Buffer.alloc(0)],
    ['HTML', text('\ufeff <!DOCTYPE html>\n<html><body>Not found</body></html>')],
    ['HTML', text('<!-- x --><HTML lang="de"><p>gr\u00fc\u00dfe')],
    ['log in', text(`<html>${'<style></style>'.repeat(400)}<input type="password"></html>`)],
    ['JSON', text('{"errors": []}')],
    ['JSON', text('[1, 2]')],
    ['XML', text('<?xml version="1.0"?><Error/>')],
    ['a text', text('404 page not found\n')],
    ['a text', text('\u043d\u0435 \u043d\u0430\u0439\u0434\u0435\u043d\u043e '.repeat(600))],
    ['a text', Buffer.from('Stra\xdfe und Gr\xfc\xdfe', 'latin1')],
    ['a text', Buffer.from('\ufeffhello there', 'utf16le')],
    ['a script', text('#!/bin/bash\necho hi\n')],
    ['Parallels', text('<?xml version="1.0"?><Parallels_disk_image/>')],
    ['PDF', bytesAt(0, '%PDF-1.7\n\0')],
    ['zip', bytesAt(0, 'PK\x03\x04')],
    ['7z', bytesAt(0, '7z\xbc\xaf\x27\x1c')],
    ['gzip', bytesAt(0, [0x1f, 0x8b, 8])],
    ['xz', bytesAt(0, '\xfd7zXZ\0')],
    ['zstd', bytesAt(0, [0x28, 0xb5, 0x2f, 0xfd])],
    ['bzip2', bytesAt(0, 'BZh91AY&SY')],
    ['ELF', bytesAt(0, '\x7fELF')],
    ['Windows', bytesAt(0, `MZ${'\0'.repeat(58)}\x80\0\0\0${'\0'.repeat(64)}PE\0\0`)],
    ['MP4', bytesAt(4, 'ftypisom')],
  ])('(%s) is told what it looks like', (name, file) => {
    const refused = refusal(() => inspect(file))
    expect(refused.code).toBe('NOT_AN_IMAGE')
    expect(refused.message).toContain(name)
  })

  test('but begins like a text for less than the sample is a disk', () => {
    expect(verdict(bytesAt(0, 'hello', 4096))).toBe('accepted')
    expect(verdict(bytesAt(0, 'MZ'))).toBe('accepted')
    expect(verdict(bytesAt(0, 'BZh9'))).toBe('accepted')
  })
})

describe('a page of comments', () => {
  test('is read in one way only, and so at once', () => {
    const started = performance.now()
    expect(verdict(text('<!---->'.repeat(580)))).toBe('NOT_AN_IMAGE')
    expect(verdict(text(`${'<!---->'.repeat(580)}<html>`))).toBe('NOT_AN_IMAGE')
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('a tar', () => {
  test('is refused, and the disk inside is named', () => {
    const ova = tar([
      { name: 'vm.ovf', data: Buffer.alloc(700, 'x') },
      { name: 'vm-disk1.vmdk', data: Buffer.alloc(300_000) },
    ])
    const refused = refusal(() => inspect(ova))
    expect(refused.code).toBe('UNSAFE_ARCHIVE')
    expect(refused.message).toContain("tar -xOf <file> 'vm-disk1.vmdk'")
    expect(refused.message).toContain('OVA')
  })

  test('without a disk, with a wild size or cut in its header is refused as well', () => {
    const plain = tar([{ name: 'readme', data: Buffer.alloc(10) }])
    expect(refusal(() => inspect(plain)).message).toContain('tar -xf')
    plain.write('-7777777777\0', 124, 'latin1')
    expect(verdict(plain)).toBe('UNSAFE_ARCHIVE')
    expect(verdict(plain.subarray(0, 300))).toBe('UNSAFE_ARCHIVE')
  })
})
