import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPeer } from '../support/clients-daemon.ts'
import { digestOf } from '../support/clients-layout.ts'
import { clientHome, hostOf, type Home } from '../support/clients.ts'
import {
  builtByBuildah,
  canMakeImages,
  madeByUmoci,
  push,
  pushedByOras,
} from '../support/container-images.ts'
import { disk } from '../support/disks.ts'
import { arrangements, layered } from '../support/layer-arrangements.ts'
import { needs } from '../support/programs.ts'
import { canPull } from '../support/pull.ts'
import { startService } from '../support/service.ts'
import { Taker } from '../support/taker.ts'

const able = [
  needs('docker-registry', 'apt-get install docker-registry'),
  canMakeImages(),
  canPull(),
].every(Boolean)

const bytes = disk(300 * 1024)
const older = disk(200 * 1024, 1)
const platform = 'linux/amd64'

const putThere = 'put the one disk there: COPY disk.img /disk/'
const alone = 'build the image with COPY of the one disk file to /disk/'

/** What is said of arrangements without a disk, or with something else in its place. */
const refused: { readonly [what: string]: readonly ['INVALID_OCI' | 'UNSAFE_ARCHIVE', string] } = {
  'a link to a file elsewhere': [
    'UNSAFE_ARCHIVE',
    `disk/x.img is a hard link to srv/x.img and no file of its own; ${alone}`,
  ],
  'whited out': [
    'INVALID_OCI',
    `no file under /disk: disk/x.img is removed by a layer above; the image holds nothing; ${putThere}`,
  ],
  'whited out with its folder': [
    'INVALID_OCI',
    `no file under /disk: disk/x.img is removed by a layer above; the image holds etc/; ${putThere}`,
  ],
  'hidden by a folder that is opaque': [
    'INVALID_OCI',
    `no file under /disk: disk/x.img is removed by a layer above; the image holds nothing; ${putThere}`,
  ],
  'in another folder': [
    'INVALID_OCI',
    `no file under /disk; the image holds diskfoo/, srv/; ${putThere}`,
  ],
  nowhere: ['INVALID_OCI', `no file under /disk; the image holds etc/; ${putThere}`],
}

const all = Object.entries(arrangements(bytes, older))
const good = all.filter(([what]) => !(what in refused))
const bad = all.filter(([what]) => what in refused)

describe.skipIf(!able)('the disk in the layers of an image', () => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let host: string
  let taker: Taker

  beforeAll(async () => {
    home = resources.use(await clientHome())
    host = hostOf(resources.use(await startPeer(home)).base)
    taker = new Taker(resources.use(await startService()), home)
    await writeFile(home.at('x.img'), bytes)
    await writeFile(home.at('old.img'), older)
    await writeFile(home.at('README.md'), '# A disk\n')
  })
  afterAll(() => resources.disposeAsync())

  const at = (what: string) => `${host}/${what.toLowerCase().replaceAll(/\W+/g, '-')}:1`
  const layerOf = /^layer sha256:[0-9a-f]{64}: /
  const inLayer = (message: string) => new RegExp(`${layerOf.source}${escaped(message)}$`)

  test.each(good)('is taken when it is %s', async (what, { layers }) => {
    const image = at(`layers ${what}`)
    const digest = await push(home, await layered(home, layers), image)
    await taker.expectDisk({ image }, bytes, { digest, platform })
  })

  test.each(bad)('is refused when it is %s', async (what, { layers }) => {
    const image = at(`layers ${what}`)
    await push(home, await layered(home, layers), image)
    const [code, message] = refused[what] ?? expect.fail('is not refused')
    await taker.expectFailure(
      { image },
      code,
      code === 'UNSAFE_ARCHIVE' ? inLayer(message) : message,
    )
  })

  test.each([
    ['gzip', 'zstd'],
    ['zstd', 'gzip'],
    ['plain', 'gzip'],
    ['zstd', 'plain'],
  ] as const)('is taken out of %s that calls itself %s', async (compression, label) => {
    const image = at(`${compression} as ${label}`)
    const layers = [[{ name: 'disk/x.img', bytes }]]
    const made = await layered(home, layers, { compression, label })
    const digest = await push(home, made, image)
    await taker.expectDisk({ image }, bytes, { digest, platform })
  })

  test('is that of the last COPY', async () => {
    const dockerfile = ['FROM scratch', 'COPY old.img /disk/x.img', 'COPY x.img /disk/x.img']
    const files = { 'x.img': home.at('x.img'), 'old.img': home.at('old.img') }
    const image = at('copies')
    const digest = await push(home, await builtByBuildah(home, files, dockerfile), image)
    await taker.expectDisk({ image }, bytes, { digest, platform })
  })

  test('is not one of two', async () => {
    const dockerfile = ['FROM scratch', 'COPY old.img x.img /disk/']
    const files = { 'x.img': home.at('x.img'), 'old.img': home.at('old.img') }
    const image = at('two')
    await push(home, await builtByBuildah(home, files, dockerfile), image)
    const message = `two files could be the disk, disk/old.img and disk/x.img; ${alone}`
    await taker.expectFailure({ image }, 'UNSAFE_ARCHIVE', inLayer(message))
  })

  test('is not what umoci took away again', async () => {
    const inserts = [
      [home.at('x.img'), '/disk/x.img'],
      ['--whiteout', '/disk/x.img'],
    ]
    const image = at('taken away')
    await push(home, await madeByUmoci(home, ...inserts), image)
    const message = `no file under /disk: disk/x.img is removed by a layer above; the image holds nothing; ${putThere}`
    await taker.expectFailure({ image }, 'INVALID_OCI', message)
  })

  test('is no symbolic link', async () => {
    const folder = home.at('links')
    await mkdir(folder)
    await symlink('/etc/passwd', join(folder, 'x.img'))
    const image = at('symbolic')
    await push(home, await madeByUmoci(home, [folder, '/disk']), image)
    const message = `disk/x.img is a symbolic link to /etc/passwd and no file of its own; ${alone}`
    await taker.expectFailure({ image }, 'UNSAFE_ARCHIVE', inLayer(message))
  })

  test('is in no image without layers', async () => {
    const image = at('empty')
    await push(home, await madeByUmoci(home), image)
    await taker.expectFailure({ image }, 'INVALID_OCI', /has no disk, and no layers; taken are/)
  })

  describe('or it is an artifact, as oras pushes it', () => {
    const any = 'application/octet-stream'

    async function pushed(what: string, files: readonly string[], type: string | null) {
      const image = at(`oras ${what}`)
      await pushedByOras(home, image, files, type === null ? [] : ['--artifact-type', type])
      const told = await home.run(
        'skopeo',
        'inspect',
        '--raw',
        '--tls-verify=false',
        `docker://${image}`,
      )
      return { image, digest: digestOf(Buffer.from(told)) }
    }

    beforeAll(async () => {
      await home.run('gzip', '-k', home.at('x.img'))
      await writeFile(home.at('plain'), bytes)
      await mkdir(home.at('disk'))
      await writeFile(home.at('disk/x.img'), bytes)
    })

    test.each([
      ['of no type', ['x.img'], null],
      ['of no type beside a text', ['x.img', 'README.md'], null],
      ['of a type', ['plain:application/x-qemu-disk'], null],
      [
        "of a maker's type",
        ['plain:application/vnd.example.disk.image'],
        'application/vnd.example',
      ],
      ['of any type, beside a text', [`x.img:${any}`, 'README.md:text/plain'], null],
      ['in a folder', ['disk'], null],
    ])('%s', async (what, files, type) => {
      const { image, digest } = await pushed(what, files, type)
      await taker.expectDisk({ image }, bytes, { digest })
    })

    test('compressed', async () => {
      const files = ['x.img.gz:application/x-qemu-disk+gzip']
      const { image, digest } = await pushed('gzip', files, null)
      const file = await readFile(home.at('x.img.gz'))
      await taker.expectDisk({ image }, bytes, { digest, file })
    })

    test('is refused when there is none, or more than one', async () => {
      const text = await pushed('text', ['README.md:text/plain'], 'application/vnd.example.note')
      await taker.expectFailure(
        { image: text.image },
        'INVALID_OCI',
        /^the image is of type application\/vnd\.example\.note and has no disk, only "README\.md" of type text\/plain; taken are/,
      )
      const two = await pushed('two', [`x.img:${any}`, `old.img:${any}`], null)
      await taker.expectFailure(
        { image: two.image },
        'INVALID_OCI',
        'the artifact has 2 disks, "x.img" and "old.img", and one is needed; push it alone',
      )
      const page = await pushed('page', ['README.md'], null)
      await taker.expectFailure({ image: page.image }, 'NOT_AN_IMAGE', /text/)
    })
  })
})

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
