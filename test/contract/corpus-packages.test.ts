import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { judge } from '../support/judge.ts'

type Package = { readonly name: string; readonly sign: string }

/** As `needs` does, for packages that have files and no program. */
function isInstalled({ name, sign }: Package): boolean {
  if (existsSync(sign)) return true
  const line = `${sign} is missing, so tests are skipped; to run them: apt-get install ${name}`
  if (process.env['CI']) throw new Error(line)
  console.warn(line)
  return false
}

const grub = {
  name: 'grub-rescue-pc',
  sign: '/usr/lib/grub-rescue/grub-rescue-cdrom.iso',
}
const ipxe = { name: 'ipxe', sign: '/usr/lib/ipxe/ipxe.iso' }
const memtest = { name: 'memtest86+', sign: '/usr/lib/memtest86+/memtest86+x64.iso' }

/** What `file`, `fdisk -l` and `xorriso -report_el_torito plain` say of each of these. */
const hybrid = (...platforms: readonly string[]) => ({ bootable: platforms, hybrid: 'mbr' })

describe.skipIf(!isInstalled(grub))('GRUB, as Debian has it', () => {
  // "Floppy" and "usb" are discs, too: GRUB makes all with xorriso, and they start from anything.
  test.each(['grub-rescue-cdrom.iso', 'grub-rescue-floppy.img', 'grub-rescue-usb.img'])(
    'is a disc that starts from a stick, too: %s',
    async (name) => {
      const path = `/usr/lib/grub-rescue/${name}`
      expect(await judge(path)).toMatchObject({
        format: 'iso',
        unpackedBytes: (await stat(path)).size,
        bootable: 'yes',
        details: { volumeId: 'ISOIMAGE', ...hybrid('BIOS') },
      })
    },
  )
})

describe.skipIf(!isInstalled(ipxe))('iPXE, as Debian has it', () => {
  test('is a disc of both kinds of firmware', async () => {
    expect(await judge('/usr/lib/ipxe/ipxe.iso')).toMatchObject({
      format: 'iso',
      bootable: 'yes',
      architecture: 'amd64',
      details: { volumeId: 'ISOIMAGE', ...hybrid('BIOS', 'UEFI') },
    })
  })

  // A program for UEFI, and one that a boot loader starts as it starts Linux; neither is a disk.
  test.each(['ipxe.efi', 'snponly.efi', 'ipxe.lkrn'])('is no disk: %s', async (name) => {
    await expect(judge(`/usr/lib/ipxe/${name}`)).rejects.toMatchObject({ code: 'NOT_AN_IMAGE' })
  })

  // Code for network cards has no signature at all.
  test.each(['ipxe.pxe', 'undionly.kpxe', 'undionly.kkpxe'])(
    'is a raw disk as far as anybody can tell: %s',
    async (name) => {
      expect(await judge(`/usr/lib/ipxe/${name}`)).toMatchObject({
        format: 'raw',
        bootable: 'unknown',
        details: {},
      })
    },
  )
})

describe.skipIf(!isInstalled(memtest))('Memtest86+, as Debian has it', () => {
  test.each([
    ['ia32', 'MT86PLUS_32', '386'],
    ['x64', 'MT86PLUS_64', 'amd64'],
  ])('is a disc of both kinds of firmware: %s', async (name, volumeId, architecture) => {
    expect(await judge(`/usr/lib/memtest86+/memtest86+${name}.iso`)).toMatchObject({
      format: 'iso',
      bootable: 'yes',
      architecture,
      details: { volumeId, ...hybrid('BIOS', 'UEFI') },
    })
  })

  // Its boot sector loads the rest from a floppy disk by itself.
  test.each(['ia32', 'x64'])('is a raw disk that may start: %s.bin', async (name) => {
    expect(await judge(`/boot/memtest86+${name}.bin`)).toMatchObject({
      format: 'raw',
      bootable: 'unknown',
    })
  })

  // The boot sector of the same program for UEFI only says that it is none ("This is a UEFI bootable image").
  test.each(['ia32', 'x64'])('is no disk: %s.efi', async (name) => {
    const act = judge(`/boot/memtest86+${name}.efi`)
    await expect(act).rejects.toMatchObject({ code: 'NOT_AN_IMAGE' })
  })
})
