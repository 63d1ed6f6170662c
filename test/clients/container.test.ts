import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { freePort } from '../bench/peers/server.ts'
import { clientHome, needsRoot, type Home } from '../support/clients.ts'
import { baseRoot, nodeAt } from '../support/container-base.ts'
import {
  imageConfig,
  runContainer,
  type Container,
  type ImageConfig,
} from '../support/container-run.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { get, Rest } from '../support/rest.ts'
import { run } from '../support/shell.ts'

const able = [
  needs('buildah', 'apt-get install buildah'),
  needs('npm', 'apt-get install npm'),
  needs('unshare', 'apt-get install util-linux'),
  needsRoot('buildah'),
].every(Boolean)

const checkout = new URL('../..', import.meta.url).pathname
/** Packages may have to be fetched, and a tree of files is copied for each stage; in milliseconds. */
const patience = 300_000

describe.skipIf(!able)('the image that the Dockerfile makes', () => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let root: string
  let config: ImageConfig
  let container: Container
  let rest: Rest

  async function buildah(...args: readonly string[]): Promise<string> {
    const folders = ['root', 'runroot'].flatMap((name) => [`--${name}`, home.at(name)])
    const whole = [...folders, '--storage-driver', 'vfs', ...args]
    const said = await run('buildah', whole, { env: home.env, cwd: home.path, limit: patience })
    return said.trim()
  }

  async function build(tag: string, context: string, ...more: readonly string[]): Promise<void> {
    const isolated = ['--isolation', 'chroot', '--format', 'docker', '--pull-never', '--quiet']
    await buildah('build', ...isolated, ...more, '-t', tag, context)
  }

  /** Packages that this user's npm has fetched before are not fetched again. */
  async function packagesKept(): Promise<string> {
    return (await run('npm', ['config', 'get', 'cache'])).trim()
  }

  beforeAll(async () => {
    home = resources.use(await clientHome())
    await baseRoot(home)
    const path = '/usr/local/bin:/usr/bin:/bin'
    await writeFile(home.at('base/Dockerfile'), `FROM scratch\nCOPY root /\nENV PATH=${path}\n`)
    await build('docker.io/library/node:24-slim', home.at('base'))
    const mounts = [`${await packagesKept()}:/root/.npm`, `${process.execPath}:${nodeAt}:ro`]
    const volumes = mounts.flatMap((mount) => ['--volume', mount])
    await build('slipway', checkout, ...volumes, '--build-arg', 'REVISION=abc')
    const made = await buildah('inspect', '--type', 'image', 'slipway')
    config = z.object({ Docker: z.object({ config: imageConfig }) }).parse(JSON.parse(made))
      .Docker.config
    root = await buildah('mount', await buildah('from', '--pull-never', 'slipway'))
    const port = await freePort()
    const variables = [`SLIPWAY_LISTEN=127.0.0.1:${port}`]
    container = resources.use(await runContainer(home, root, config, variables))
    rest = new Rest(() => `http://127.0.0.1:${port}`)
  }, patience)
  afterAll(() => resources.disposeAsync())

  test('says what it is, and that it needs no root', () => {
    expect(config).toMatchObject({
      User: '1000:1000',
      Volumes: { '/data': {} },
      Labels: {
        'org.opencontainers.image.title': 'slipway',
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'org.opencontainers.image.revision': 'abc',
      },
    })
  })

  test('holds what the service needs, and nothing that makes it', async () => {
    const files = (await run('find', [join(root, 'app'), '-type', 'f'])).split('\n')
    const names = files.map((path) => path.slice(join(root, 'app/').length))
    const folders = new Set(names.filter(Boolean).map((path) => path.split('/')[0]))
    expect(folders).toEqual(
      new Set(['LICENSE', 'deploy', 'migrations', 'node_modules', 'package.json', 'src']),
    )
    expect(names).toContain('deploy/presets/generic.yaml')
    const foreign = /^node_modules\/(?:.*\.(?:d\.ts|map)$|(?:typescript|vitest|oxlint)\/)/
    expect(names.filter((path) => foreign.test(path))).toEqual([])
  })

  test('runs on a root that cannot be written, without any capability', async () => {
    const status = await container.told('status')
    expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m)
    expect(status).toMatch(/^CapEff:\t0+$/m)
    expect(status).toMatch(/^NoNewPrivs:\t1$/m)
    const mounts = await container.told('mountinfo')
    expect(mounts).toMatch(/^\d+ \d+ \S+ \S+ \/ ro,/m)
    expect(mounts).toMatch(/^\d+ \d+ \S+ \S+ \/data rw,/m)
  })

  test('is healthy, shows its page, and takes an image', async () => {
    expect(await container.health()).toMatchObject({ code: 0, stderr: '' })
    expect((await get(new URL('/', rest.url()).href)).status).toBe(200)
    const address = new URL(await rest.createUpload('some-image'))
    const here = new URL(address.pathname, rest.url())
    const body = new Uint8Array(disk(mebibyte))
    expect((await fetch(here, { method: 'PUT', body })).status).toBe(201)
    expect((await rest.ready('some-image')).status.format).toBe('raw')
  })

  test('ends by the signal that the image names', async () => {
    expect(await container.stop()).toBe(0)
  })
})
