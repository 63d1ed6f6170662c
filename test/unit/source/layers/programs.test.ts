import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { noise } from '../../../fixtures/noise.ts'
import { needs } from '../../../support/programs.ts'
import { temporaryFolder } from '../../../support/temporary.ts'
import { content, expectDisk, find, gzipped, plain, refusal } from './images.ts'

/** A program's command that packs `names` of the current folder to its standard output. */
type Packer = {
  readonly title: string
  readonly program: string
  readonly install: string
  readonly args: readonly string[]
}

const gnu = ['gnu', 'oldgnu', 'pax', 'ustar', 'v7'].map((format): Packer => ({
  title: `GNU tar, ${format}`,
  program: 'tar',
  install: 'apt-get install tar',
  args: [`--format=${format}`, '-cf', '-'],
}))
const bsd = ['pax', 'gnutar', 'ustar', 'v7tar'].map((format): Packer => ({
  title: `bsdtar, ${format}`,
  program: 'bsdtar',
  install: 'apt-get install libarchive-tools',
  args: ['--format', format, '-cf', '-'],
}))
const python = ['PAX', 'GNU', 'USTAR'].map((format): Packer => ({
  title: `python's tarfile, ${format}`,
  program: 'python3',
  install: 'apt-get install python3',
  args: ['-c', script(format)],
}))

function script(format: string): string {
  return `
import sys, tarfile
with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.${format}_FORMAT) as tar:
    for name in sys.argv[1:]:
        tar.add(name)
`
}

function pack({ program, args }: Packer, cwd: string, names: readonly string[]): Buffer {
  const stdio = ['ignore', 'pipe', 'pipe'] as const
  return execFileSync(program, [...args, ...names], { cwd, stdio: [...stdio], maxBuffer: 1e8 })
}

function write(folder: string, name: string, data: Buffer): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), data)
}

const packers = [...gnu, ...bsd, ...python]
const names = ['etc', './disk', 'var'] as const

describe.each(packers)('$title', (packer) => {
  const { program, install, title } = packer
  const isOld = /ustar|v7/i.test(title)

  const packed = async (fill: (folder: string) => void, only: readonly string[] = names) => {
    await using folder = await temporaryFolder()
    for (const name of ['etc/a', 'var/b']) write(folder.path, name, noise(5000))
    fill(folder.path)
    return pack(packer, folder.path, only)
  }

  describe.skipIf(!needs(program, install))('packs', () => {
    test('a disk that is found', async () => {
      const tar = await packed((folder) => write(folder, 'disk/x.img', content))
      await expectDisk([plain(tar)])
      await expectDisk([gzipped(tar)])
    })

    // The oldest format has no room for them.
    if (!isOld)
      test('a disk among long names', async () => {
        const name = `disk/${'d'.repeat(180)}.img`
        const tar = await packed((folder) => {
          write(folder, `etc/${'e'.repeat(95)}/f`, content)
          write(folder, `etc/${'ü'.repeat(70)}/${'g'.repeat(120)}`, content)
          write(folder, name, content)
        })
        await expectDisk([tar], name)
      })

    test('a disk beside links elsewhere', async () => {
      const tar = await packed((folder) => {
        write(folder, 'disk/x.img', content)
        symlinkSync('../../disk', join(folder, 'etc/link'))
        linkSync(join(folder, 'disk/x.img'), join(folder, 'var/hard'))
      })
      await expectDisk([tar])
    })

    test('a disk that is a hard link, which is refused', async () => {
      const tar = await packed(
        (folder) => {
          write(folder, 'a', content)
          mkdirSync(join(folder, 'disk'))
          linkSync(join(folder, 'a'), join(folder, 'disk/x.img'))
        },
        ['a', 'disk'],
      )
      expect(await refusal('UNSAFE_ARCHIVE', [tar])).toContain('disk/x.img is a hard link to a ')
    })

    test('a disk that is a symbolic link, which is refused', async () => {
      const tar = await packed((folder) => {
        mkdirSync(join(folder, 'disk'))
        symlinkSync('/etc/shadow', join(folder, 'disk/x.img'))
      })
      expect(await refusal('UNSAFE_ARCHIVE', [tar])).toContain('a symbolic link to /etc/shadow')
    })

    test('two disks, which are refused', async () => {
      const tar = await packed((folder) => {
        write(folder, 'disk/x.img', content)
        write(folder, 'disk/y.img', content)
      })
      expect(await refusal('UNSAFE_ARCHIVE', [tar])).toContain('two files could be the disk')
    })

    test('no disk', async () => {
      const tar = await packed((folder) => mkdirSync(join(folder, 'disk')))
      expect(await refusal('INVALID_OCI', [tar])).toContain(
        'no file under /disk: disk/ is empty; the image holds etc/, var/',
      )
    })
  })
})

describe.skipIf(!needs('tar', 'apt-get install tar'))('a sparse disk of GNU tar is refused', () => {
  test.each([
    ['gnu', []],
    ['pax', ['--sparse-version=0.0']],
    ['pax', ['--sparse-version=0.1']],
    ['pax', ['--sparse-version=1.0']],
  ])('%s %j', async (format, options) => {
    await using folder = await temporaryFolder()
    write(folder.path, 'disk/x.img', content)
    truncateSync(join(folder.path, 'disk/x.img'), 10_000_000)
    const args = [`--format=${format}`, ...options, '-S', '-cf', '-']
    const tar = pack({ title: '', program: 'tar', install: '', args }, folder.path, ['disk'])
    expect(tar.length).toBeLessThan(100_000)
    expect(await refusal('UNSAFE_ARCHIVE', [tar])).toMatch(/sparse/)
  })

  test('and one elsewhere is passed over', async () => {
    await using folder = await temporaryFolder()
    write(folder.path, 'disk/x.img', content)
    write(folder.path, 'var/log/lastlog', content)
    truncateSync(join(folder.path, 'var/log/lastlog'), 10_000_000)
    const args = ['--format=pax', '-S', '-cf', '-']
    const packer = { title: '', program: 'tar', install: '', args }
    const { bytes } = await find([pack(packer, folder.path, ['var', 'disk'])])
    expect(bytes.equals(content)).toBe(true)
  })
})
