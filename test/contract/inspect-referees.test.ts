import { execFileSync } from 'node:child_process'
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGzip } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Facts } from '../../src/image/format.ts'
import { examine } from '../../src/work/examine.ts'
import { noise } from '../fixtures/noise.ts'
import { needs } from '../support/programs.ts'

const limits = { maxVirtualSize: 1024 ** 5, maxOutput: 1024 ** 3 }
let folder = ''
const at = (name: string) => join(folder, name)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-referees-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function run(program: string, ...options: readonly string[]): string {
  return execFileSync(program, options, {
    cwd: folder,
    encoding: 'utf8',
    stdio: 'pipe',
    timeout: 30_000,
  })
}

const deadline = () => AbortSignal.timeout(15_000)

/** What is found in the file, which must be the same in gzip. */
async function facts(name: string): Promise<Facts> {
  const found = await examine(
    createReadStream(at(name)),
    statSync(at(name)).size,
    limits,
    deadline(),
  )
  const zipped = createReadStream(at(name)).pipe(createGzip({ level: 1 }))
  expect(await examine(zipped, null, limits, deadline())).toEqual(found)
  return found
}

describe.skipIf(!needs('qemu-img', 'apt-get install qemu-utils'))('a qcow2 of qemu-img', () => {
  test.each([
    ['version 2', '-o', 'compat=0.10'],
    ['version 3', '-o', 'compat=1.1'],
    ['lazy refcounts', '-o', 'lazy_refcounts=on'],
    ['extended L2', '-o', 'extended_l2=on,cluster_size=128k'],
    ['the smallest clusters', '-o', 'cluster_size=512'],
    ['the largest clusters', '-o', 'cluster_size=2M'],
    ['wide refcounts', '-o', 'refcount_bits=64'],
    ['zstd', '-o', 'compression_type=zstd'],
    ['all metadata', '-o', 'preallocation=metadata'],
  ])('with %s has the size that qemu-img tells', async (_title, ...options) => {
    for (const size of ['1', '1000', '67108864', '10737418241']) {
      if (options.includes('cluster_size=512') && size.length > 10) continue
      if (options.includes('preallocation=metadata') && size.length > 10) continue
      run('qemu-img', 'create', '-q', '-f', 'qcow2', ...options, 'disk.qcow2', size)
      const told = JSON.parse(run('qemu-img', 'info', '-f', 'qcow2', '--output=json', 'disk.qcow2'))
      const found = await facts('disk.qcow2')
      expect(found.unpackedBytes).toBe(told['virtual-size'])
      expect(found.details['clusterSize']).toBe(told['cluster-size'])
      expect(found.details['extendedL2']).toBe(told['format-specific'].data['extended-l2'] ?? false)
    }
  })

  test('may be compressed, have snapshots and bitmaps', async () => {
    writeFileSync(at('noise.raw'), Buffer.concat([Buffer.alloc(300_000), noise(700_000)]))
    run('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', 'noise.raw', 'full.qcow2')
    for (const name of ['one', 'two', 'three'])
      run('qemu-img', 'snapshot', '-c', name, 'full.qcow2')
    run('qemu-img', 'bitmap', '--add', 'full.qcow2', 'b0')
    expect(await facts('full.qcow2')).toMatchObject({
      unpackedBytes: 1_000_448,
      details: { snapshots: 3, bitmaps: 1, version: 3 },
    })
  })

  test('is refused when it needs another file, by whatever way qemu-img made it so', async () => {
    run('qemu-img', 'create', '-q', '-f', 'qcow2', 'base.qcow2', '1M')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2', 'child.qcow2')
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', 'data_file=d.raw', 'outside.qcow2', '1M')
    for (const name of ['child.qcow2', 'outside.qcow2']) {
      await expect(facts(name)).rejects.toMatchObject({ code: 'EXTERNAL_REFERENCE' })
    }
  })

  test('is refused when it is encrypted', async () => {
    const secret = [
      '--object',
      'secret,id=s,data=x',
      '-o',
      'encrypt.format=aes,encrypt.key-secret=s',
    ]
    run('qemu-img', 'create', '-q', '-f', 'qcow2', ...secret, 'aes.qcow2', '1M')
    await expect(facts('aes.qcow2')).rejects.toMatchObject({ code: 'ENCRYPTED_IMAGE' })
  })

  test.each(['qcow', 'qed', 'parallels'])('is what a %s is to become', async (format) => {
    run('qemu-img', 'create', '-q', '-f', format, 'other', '64M')
    await expect(facts('other')).rejects.toMatchObject({
      code: 'UNSUPPORTED_FORMAT',
      message: expect.stringContaining(`-f ${format}`),
    })
  })
})

function tree(): void {
  mkdirSync(at('tree/boot'), { recursive: true })
  mkdirSync(at('tree/EFI/BOOT'), { recursive: true })
  writeFileSync(at('tree/readme'), noise(50_000))
  writeFileSync(at('tree/boot/bios.img'), Buffer.alloc(2048, 0x90))
  writeFileSync(at('tree/boot/efi.img'), Buffer.alloc(65_536))
  writeFileSync(at('tree/EFI/BOOT/BOOTX64.EFI'), Buffer.alloc(1000))
}

const bios = ['-b', 'boot/bios.img', '-c', 'boot/cat', '-no-emul-boot', '-boot-load-size', '4']
const efi = ['-eltorito-alt-boot', '-e', 'boot/efi.img', '-no-emul-boot']

describe.skipIf(!needs('qemu-img', 'apt-get install qemu-utils'))('a VDI of qemu-img', () => {
  test.each([
    ['dynamic', '-o', 'static=off'],
    ['static', '-o', 'static=on'],
  ])('of type %s has the size that qemu-img tells', async (type, ...options) => {
    writeFileSync(at('noise.raw'), Buffer.concat([Buffer.alloc(3_000_320), noise(700_416)]))
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'vdi', ...options, 'noise.raw', 'full.vdi')
    expect(await facts('full.vdi')).toMatchObject({ format: 'vdi', unpackedBytes: 3_700_736 })
    for (const size of ['512', '1048576', '67109376', '4398046511104']) {
      if (type === 'static' && size.length > 10) continue
      run('qemu-img', 'create', '-q', '-f', 'vdi', ...options, 'disk.vdi', size)
      const told = JSON.parse(run('qemu-img', 'info', '-f', 'vdi', '--output=json', 'disk.vdi'))
      const found = await facts('disk.vdi')
      expect(found.unpackedBytes).toBe(told['virtual-size'])
      expect(found.details).toEqual({ type })
    }
  })
})

describe.skipIf(!needs('qemu-img', 'apt-get install qemu-utils'))('a VHD of qemu-img', () => {
  test.each([
    ['dynamic', 'off'],
    ['dynamic', 'on'],
    ['fixed', 'off'],
    ['fixed', 'on'],
  ])('of type %s, force_size=%s, has the size that qemu-img tells', async (type, force) => {
    const options = ['-o', `subformat=${type},force_size=${force}`]
    const told = (name: string) =>
      JSON.parse(run('qemu-img', 'info', '-f', 'vpc', '--output=json', name))['virtual-size']
    writeFileSync(at('noise.raw'), Buffer.concat([Buffer.alloc(3_000_320), noise(700_416)]))
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'vpc', ...options, 'noise.raw', 'full.vhd')
    expect(await facts('full.vhd')).toMatchObject({
      format: 'vhd',
      unpackedBytes: told('full.vhd'),
      details: { type },
    })
    const sizes = ['512', '4194304', '67109376', '136365211648', '2190433320960']
    for (const size of type === 'fixed' ? sizes.slice(0, 3) : sizes) {
      run('qemu-img', 'create', '-q', '-f', 'vpc', ...options, 'disk.vhd', size)
      expect((await facts('disk.vhd')).unpackedBytes).toBe(told('disk.vhd'))
    }
  })
})

describe.skipIf(!needs('qemu-img', 'apt-get install qemu-utils'))('a VHDX of qemu-img', () => {
  test.each([
    ['dynamic', '-o', 'subformat=dynamic'],
    ['fixed', '-o', 'subformat=fixed'],
    ['of small blocks', '-o', 'block_size=1M'],
    ['of large blocks', '-o', 'block_size=256M'],
  ])('(%s) has the size that qemu-img tells', async (what, ...options) => {
    writeFileSync(at('noise.raw'), Buffer.concat([Buffer.alloc(3_000_320), noise(700_416)]))
    run('qemu-img', 'convert', '-f', 'raw', '-O', 'vhdx', ...options, 'noise.raw', 'full.vhdx')
    expect(await facts('full.vhdx')).toMatchObject({ format: 'vhdx', unpackedBytes: 3_700_736 })
    for (const size of ['512', '67109376', '2199023256064']) {
      if (what === 'fixed' && size.length > 10) continue
      run('qemu-img', 'create', '-q', '-f', 'vhdx', ...options, 'disk.vhdx', size)
      const told = JSON.parse(run('qemu-img', 'info', '-f', 'vhdx', '--output=json', 'disk.vhdx'))
      expect((await facts('disk.vhdx')).unpackedBytes).toBe(told['virtual-size'])
    }
  })
})

describe.skipIf(!needs('xorriso', 'apt-get install xorriso'))('an ISO of xorriso', () => {
  beforeAll(tree)

  test.each([
    ['plain', [], 'no', {}],
    ['for BIOS', bios, 'yes', { bootable: ['BIOS'] }],
    ['for BIOS and UEFI', [...bios, ...efi], 'yes', { bootable: ['BIOS', 'UEFI'] }],
    ['with a protective label', [...bios, '--protective-msdos-label'], 'yes', { hybrid: 'mbr' }],
    ['with an offset partition', [...bios, '-partition_offset', '16'], 'yes', { hybrid: 'mbr' }],
    [
      'with an appended partition',
      [...bios, '-append_partition', '2', '0xef', 'tree/boot/efi.img'],
      'yes',
      { hybrid: 'mbr' },
    ],
    [
      'with a GPT',
      [
        ...bios,
        ...efi,
        '-append_partition',
        '2',
        '0xef',
        'tree/boot/efi.img',
        '-appended_part_as_gpt',
      ],
      'yes',
      { hybrid: 'gpt' },
    ],
  ])('(%s) is an ISO as long as its file', async (_title, options, bootable, details) => {
    const names = ['-V', 'SLIPWAY', '-J', '-R']
    run('xorriso', '-as', 'mkisofs', '-quiet', '-o', 'disc.iso', ...names, ...options, 'tree')
    const size = statSync(at('disc.iso')).size
    expect(await facts('disc.iso')).toMatchObject({
      format: 'iso',
      unpackedBytes: size,
      bootable,
      architecture: 'amd64',
      details: { volumeId: 'SLIPWAY', joliet: true, rockRidge: true, udf: false, ...details },
    })
    truncateSync(at('disc.iso'), 100_000)
    await expect(facts('disc.iso')).rejects.toMatchObject({ code: 'INVALID_HEADER' })
  })
})

describe.skipIf(!needs('genisoimage', 'apt-get install genisoimage'))(
  'an ISO of genisoimage',
  () => {
    beforeAll(tree)

    test.each([
      ['plain', [], { udf: false, joliet: false, rockRidge: false }],
      ['with UDF', ['-udf', '-J', '-R'], { udf: true, joliet: true, rockRidge: true }],
    ])('(%s) is an ISO as long as its file', async (_title, options, details) => {
      run('genisoimage', '-quiet', '-o', 'disc.iso', '-V', 'GENISO', ...options, 'tree')
      expect(await facts('disc.iso')).toMatchObject({
        format: 'iso',
        unpackedBytes: statSync(at('disc.iso')).size,
        details: { volumeId: 'GENISO', ...details },
      })
    })
  },
)

describe.skipIf(!needs('mkfs.ext4', 'apt-get install e2fsprogs'))('a filesystem of mkfs', () => {
  test.each(['ext2', 'ext3', 'ext4'])('%s is known by its name', async (filesystem) => {
    writeFileSync(at('disk.img'), Buffer.alloc(8_388_608))
    run('mkfs.ext4', '-q', '-F', '-t', filesystem, 'disk.img')
    expect(await facts('disk.img')).toMatchObject({
      format: 'raw',
      bootable: 'no',
      details: { filesystem },
    })
  })
})
