import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { clientHome, type Home } from '../support/clients.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { attempt, run } from '../support/shell.ts'

const able = needs('npm', 'apt-get install npm')
const canVerify = needs('systemd-analyze', 'apt-get install systemd')

const checkout = new URL('../..', import.meta.url).pathname
/** The compiler runs, and packages may have to be fetched; in milliseconds. */
const patience = 300_000
/** Of ten, as systemd-analyze counts what a service could do; less is better. */
const mostExposed = 1.5

const packed = z.array(
  z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }),
)

describe.skipIf(!able)('what npm pack makes', () => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let files: readonly string[]
  const prefix = () => home.at('prefix')
  const kept = () => join(prefix(), 'lib/node_modules/slipway')

  beforeAll(async () => {
    home = resources.use(await clientHome())
    for (const name of ['tarball', 'empty', 'units']) await mkdir(home.at(name))
    const pack = ['pack', '--json', '--silent', '--pack-destination', home.at('tarball')]
    const said = await run('npm', pack, { cwd: checkout, limit: patience })
    // What prepack prints stands before it.
    const [made] = packed.parse(JSON.parse(said.slice(said.lastIndexOf('\n[') + 1)))
    files = made?.files.map(({ path }) => path) ?? []
    const tarball = home.at(join('tarball', made?.filename ?? ''))
    const globally = ['install', '--global', '--prefix', prefix(), '--prefer-offline', tarball]
    await run('npm', globally, { cwd: home.at('empty'), limit: patience })
  }, patience)
  afterAll(() => resources.disposeAsync())

  /** As a shell finds it, in an empty folder. */
  async function slipway(...args: readonly string[]) {
    const PATH = [join(prefix(), 'bin'), dirname(process.execPath), process.env['PATH']].join(':')
    return await attempt('slipway', args, { cwd: home.at('empty'), env: { PATH } })
  }

  test('holds what is compiled, what is deployed, and two texts', () => {
    const known =
      /^(?:dist\/(?:src|migrations)\/.+\.(?:js|css|svg)|deploy\/.+|package\.json|README\.md|LICENSE)$/
    expect(files.length).toBeGreaterThan(500)
    expect(files.filter((path) => !known.test(path))).toEqual([])
    expect(files).toEqual(
      expect.arrayContaining([
        'dist/src/main.js',
        'dist/src/serve/web/browser/main.js',
        'dist/migrations/0001-images.js',
        'deploy/presets/generic.yaml',
        'deploy/systemd/slipway.service',
      ]),
    )
  })

  test('is a command on the path', async () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')))
    expect(await slipway('version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    expect((await slipway('--help')).stdout).toContain('slipway serve')
    await writeFile(home.at('empty/some.img'), disk(mebibyte))
    const { code, stdout } = await slipway('inspect', 'some.img')
    expect({ code, told: JSON.parse(stdout) }).toMatchObject({ code: 0, told: { format: 'raw' } })
    // Every command is loaded for it.
    const completion = await slipway('completion', 'bash')
    expect(completion).toMatchObject({ code: 0, stderr: '' })
    await run('bash', ['-c', `${completion.stdout}\ncomplete -p slipway`])
    expect(completion.stdout).toContain("'images download'")
  })

  test(
    'takes images, shows its page and looks after a cluster on its own',
    async () => {
      const play = [join(checkout, 'test/support/packed.ts'), join(kept(), 'dist/src/main.js')]
      const said = await run(process.execPath, play, { cwd: home.at('empty'), limit: patience })
      expect(said).toContain('the package took uploads')
    },
    patience,
  )

  describe.skipIf(!canVerify)('as a unit of systemd', () => {
    beforeAll(async () => {
      const at = (name: string) => join(kept(), 'deploy/systemd', name)
      const unit = await readFile(at('slipway.service'), 'utf8')
      await writeFile(home.at('units/slipway.service'), unit.replaceAll('/usr/local', prefix()))
      await mkdir(home.at('units/slipway.service.d'))
      const credentials = await readFile(at('credentials.conf'), 'utf8')
      await writeFile(home.at('units/slipway.service.d/credentials.conf'), credentials)
    })

    async function analyze(...args: readonly string[]) {
      const env = { PATH: process.env['PATH'], SYSTEMD_UNIT_PATH: `${home.at('units')}:` }
      return await attempt('systemd-analyze', args, { env })
    }

    test('is understood without a word', async () => {
      const well = { code: 0, stdout: '', stderr: '' }
      expect(await analyze('verify', home.at('units/slipway.service'))).toEqual(well)
    })

    test('can do little beside its work', async () => {
      const offline = ['--offline=true', '--no-pager', `--threshold=${mostExposed * 10}`]
      const told = await analyze('security', ...offline, home.at('units/slipway.service'))
      expect(told.code, told.stdout).toBe(0)
    })
  })
})
