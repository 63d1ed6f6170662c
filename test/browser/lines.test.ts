import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { load } from 'js-yaml'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { startContainerd, type Containerd } from '../support/clients-daemon.ts'
import { clientHome, hostOf, needsRoot, type Home } from '../support/clients.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { needs } from '../support/programs.ts'
import { startService, type Service } from '../support/service.ts'
import { run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

const able = [
  needsBrowser(),
  needs('curl', 'apt-get install curl'),
  needs('qemu-img', 'apt-get install qemu-utils'),
  needs('skopeo', 'apt-get install skopeo'),
  needs('kubectl', 'apt-get install kubectl'),
].every(Boolean)
const canContain = [
  needs('containerd', 'apt-get install containerd'),
  needsRoot('containerd'),
].every(Boolean)

const bytes = disk(3 * mebibyte)
/** Where the disk begins in a layer. */
const frame = 4096
const token = tokenOf('editor')

const manifestSchema = z.object({ layers: z.tuple([z.object({ digest: z.string() })]) })
const volumesSchema = z.object({
  volumes: z.tuple([z.object({ containerDisk: z.record(z.string(), z.string()) })]),
})
const secretSchema = z.object({ data: z.object({ '.dockerconfigjson': z.string() }) })

type Read = {
  readonly errors: number
  readonly format: string | null
  readonly file: string | null
  readonly url: string
}

/** Runs in a page, which has a parser of XML. */
const reading = (xml: string) => `(() => {
  const parsed = new DOMParser().parseFromString(${JSON.stringify(xml)}, 'text/xml')
  const at = (query, name) => parsed.querySelector(query)?.getAttribute(name) ?? null
  const authority = at('host', 'name') + ':' + at('host', 'port')
  return {
    errors: parsed.querySelectorAll('parsererror').length,
    format: at('disk > driver', 'type'),
    file: at('disk > source', 'file'),
    url: at('source', 'protocol') + '://' + authority + at('source', 'name'),
  }
})()`

describe.skipIf(!able).each(['nobody', 'a token'])('lines for %s', (who) => {
  const held = new AsyncDisposableStack()
  const isGuarded = who === 'a token'
  let service: Service
  let home: Home
  let page: Page
  let visit: Visit

  beforeAll(async () => {
    const { path } = held.use(await temporaryFolder())
    const { tokens } = await writeCallers(path)
    service = held.use(await startService(isGuarded ? { SLIPWAY_TOKENS_FILE: tokens } : {}))
    const neighbour = held.use(await startNeighbour())
    const rest = isGuarded ? service.rest.as(token) : service.rest
    await rest.createFrom('demo', neighbour.serve('/demo.img', { bytes }))
    await rest.ready('demo')
    home = held.use(await clientHome())
    visit = held.use(await openBrowser())
    visit.expects(/^Failed to load resource: the server responded with a status of 401 /)
    page = await visit.page(`${service.base}#/images/demo`)
    if (!isGuarded) return
    await page.getByLabel('Token').fill(token)
    await page.getByRole('button', { name: 'Sign in' }).click()
  })
  afterAll(() => held.disposeAsync())

  /** The line as it stands on the page. */
  async function line(title: string): Promise<string> {
    const text = await page
      .locator('pre')
      .and(page.getByLabel(title, { exact: true }))
      .textContent()
    return text ?? ''
  }

  /** Runs a line as a shell does, in an empty home. */
  async function shell(text: string, more: NodeJS.ProcessEnv = {}): Promise<string> {
    const env = { ...home.env, ...(isGuarded && { SLIPWAY_TOKEN: token }), ...more }
    return await run('sh', ['-ec', text], { cwd: home.path, env })
  }

  const credentials = () =>
    isGuarded ? (['--creds', `editor:${token}`] as const) : (['--no-creds'] as const)

  test('never hold a token', async () => {
    await page.getByRole('heading', { name: 'Use it' }).waitFor()
    expect(await page.locator('main').textContent()).not.toContain(token)
    const titles = await page.locator('.line h4').allTextContents()
    expect(titles.includes('A pull secret')).toBe(isGuarded)
    await picture(page, `lines-01-${isGuarded ? 'token' : 'nobody'}`)
  })

  test('of curl fetch the disk', async () => {
    await shell(await line('curl'))
    expect((await readFile(home.at('demo.img'))).equals(bytes)).toBe(true)
  })

  test('of qemu-img make a disk of the same bytes', async () => {
    await shell(await line('qemu-img'))
    await home.run('qemu-img', 'convert', '-O', 'raw', 'demo-copy.qcow2', 'demo-back.img')
    expect((await readFile(home.at('demo-back.img'))).equals(bytes)).toBe(true)
  })

  test('of skopeo copy the image', async () => {
    await shell(await line('skopeo'))
    const manifest = await readFile(join(home.at('demo'), 'manifest.json'), 'utf8')
    const [{ digest }] = manifestSchema.parse(JSON.parse(manifest)).layers
    const layer = await readFile(join(home.at('demo'), digest.replace('sha256:', '')))
    expect(layer.subarray(frame, frame + bytes.length).equals(bytes)).toBe(true)
  })

  test('of libvirt are XML that leads to the disk', async () => {
    const text = await line('libvirt')
    const blank = await (await visit.context()).newPage()
    const found = await blank.evaluate<Read>(reading(text))
    expect(found).toMatchObject({ errors: 0, format: 'raw' })
    if (isGuarded) expect(found.file).toBe('/var/lib/libvirt/images/demo.img')
    else expect(await home.run('qemu-img', 'info', found.url)).toContain(`${bytes.length} bytes`)
  })

  test('of KubeVirt name the image by its digest', async () => {
    const [{ containerDisk }] = volumesSchema.parse(load(await line('KubeVirt'))).volumes
    const image = `docker://${containerDisk['image']}`
    const told = await home.run('skopeo', 'inspect', '--tls-verify=false', ...credentials(), image)
    expect(told).toContain('"Digest"')
    expect(containerDisk['imagePullSecret']).toBe(isGuarded ? 'slipway' : undefined)
  })

  test('of a pull secret are there with a token, and hold what the registry takes', async () => {
    const offered = page.getByRole('region', { name: 'A pull secret' })
    expect(await offered.count()).toBe(isGuarded ? 1 : 0)
    if (!isGuarded) return
    const text = `${await line('A pull secret')} --dry-run=client -o json`
    const { data } = secretSchema.parse(JSON.parse(await shell(text)))
    const config = Buffer.from(data['.dockerconfigjson'], 'base64').toString()
    await writeFile(home.at('pull.json'), config)
    const image = `docker://${hostOf(service.base)}/cvi/demo:latest`
    const args = ['inspect', '--tls-verify=false', '--authfile', 'pull.json', image]
    expect(await home.run('skopeo', ...args)).toContain('"Digest"')
  })

  test.skipIf(!canContain)(
    'of containerd pull the image, with and without hosts.toml',
    async () => {
      await using daemon: Containerd = await startContainerd(home)
      const [, address = ''] = daemon.address
      const env = { CONTAINERD_ADDRESS: address, CONTAINERD_SNAPSHOTTER: 'native' }
      const pull = await line('containerd')
      await shell(pull, env)
      expect(await shell('ctr -n k8s.io images ls -q', env)).toContain('/cvi/demo:latest')
      const folder = join(home.at('certs.d'), hostOf(service.base))
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, 'hosts.toml'), await line('containerd over plain HTTP'))
      const other = pull
        .replace('-n k8s.io', '-n other')
        .replace('--plain-http', '--hosts-dir certs.d')
      expect(other).toContain('--hosts-dir')
      await shell(other, env)
      expect(await shell('ctr -n other images ls -q', env)).toContain('/cvi/demo:latest')
    },
  )
})
