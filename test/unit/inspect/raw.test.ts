import { describe, expect, test } from 'vitest'
import { bytesAt, gptDisk, gptTypes, mbrDisk, writeMbr } from '../../fixtures/raw.ts'
import { inspect, verdict } from '../../fixtures/verdict.ts'

const linux = { type: 0x83, first: 2048, sectors: 4096 }

describe('a raw disk', () => {
  test('with an MBR tells its partitions', () => {
    const disk = mbrDisk([{ ...linux, active: true }])
    disk.set([0x53, 0xef], 1_048_576 + 1080)
    disk.writeUInt32LE(0x40, 1_048_576 + 1120)
    expect(inspect(disk)).toEqual({
      format: 'raw',
      unpackedBytes: 4_194_304,
      allocatedBytes: null,
      bootable: 'yes',
      architecture: null,
      details: {
        partitionTable: 'mbr',
        partitions: [{ type: 'Linux', size: 2_097_152, filesystem: 'ext4' }],
      },
    })
  })

  test('with an MBR starts, does not start or may start, as far as can be told', () => {
    expect(inspect(mbrDisk([linux])).bootable).toBe('no')
    expect(inspect(mbrDisk([{ ...linux, active: true }])).bootable).toBe('yes')
    expect(inspect(mbrDisk([{ ...linux, type: 0xef }])).bootable).toBe('yes')
    const withCode = mbrDisk([linux])
    withCode[0] = 0xeb
    expect(inspect(withCode).bootable).toBe('unknown')
  })

  test('whose partition entry has an impossible status has no table', () => {
    const disk = writeMbr(Buffer.alloc(1_048_576), [linux], 0x42)
    expect(inspect(disk).details).toEqual({})
  })

  test.each([512, 4096])('with a GPT of %i-byte sectors tells its partitions', (sector) => {
    const disk = gptDisk([gptTypes.efi, gptTypes.rootArm64], sector)
    expect(inspect(disk)).toMatchObject({
      bootable: 'yes',
      architecture: 'arm64',
      details: {
        partitionTable: 'gpt',
        partitions: [
          { type: 'EFI system', size: 1_048_576 },
          { type: 'Linux root (arm64)', size: 1_048_576 },
        ],
      },
    })
  })

  test('with a GPT of data alone does not start', () => {
    expect(inspect(gptDisk([gptTypes.linux])).bootable).toBe('no')
  })

  test('whose GPT has a wrong sum is known by its MBR', () => {
    const disk = gptDisk([gptTypes.linux])
    disk.writeUInt8(1, 512 + 40)
    expect(inspect(disk).details).toMatchObject({ partitionTable: 'mbr' })
  })

  test('that is shorter than its GPT says is accepted with a warning', () => {
    const disk = gptDisk([gptTypes.linux])
    expect(inspect(disk).details).not.toHaveProperty('warnings')
    expect(inspect(disk.subarray(0, -512)).details).toHaveProperty('warnings')
  })

  test.each([
    ['ext2', bytesAt(1080, [0x53, 0xef])],
    ['XFS', bytesAt(0, 'XFSB')],
    ['btrfs', bytesAt(65_600, '_BHRfS_M')],
    ['NTFS', bytesAt(3, 'NTFS    ')],
    ['swap', bytesAt(4086, 'SWAPSPACE2')],
    ['LVM', bytesAt(512, `LABELONE${'\0'.repeat(16)}LVM2 001`)],
    ['squashfs', bytesAt(0, 'hsqs')],
  ])('that is a filesystem (%s) says so', (filesystem, file) => {
    expect(inspect(file)).toMatchObject({ format: 'raw', bootable: 'no', details: { filesystem } })
  })

  test('that is FAT may start, as its boot sector has code', () => {
    const disk = bytesAt(0, [0xeb, 0x3c, 0x90])
    disk.writeUInt16LE(512, 11)
    disk.set([2], 16)
    disk.set([0xf8], 21)
    disk.set([0x55, 0xaa], 510)
    expect(inspect(disk)).toMatchObject({ bootable: 'unknown', details: { filesystem: 'FAT' } })
  })

  test.each([1, 511, 512, 4097, 131_072, 2_097_153])('of %i zeros is accepted', (length) => {
    const facts = inspect(Buffer.alloc(length))
    expect(facts).toMatchObject({ format: 'raw', unpackedBytes: length, bootable: 'unknown' })
  })

  test('of bytes that say nothing is accepted', () => {
    expect(verdict(Buffer.alloc(8192, 0xff))).toBe('accepted')
  })

  test('with a partition table may begin like something else', () => {
    const disk = mbrDisk([linux])
    disk.write('MZ', 0, 'latin1')
    disk.writeUInt32LE(128, 60)
    disk.write('PE\0\0', 128, 'latin1')
    expect(verdict(disk)).toBe('accepted')
  })
})
