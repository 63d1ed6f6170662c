import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accounts, callers, canGuard } from '../support/clients-access.ts'
import { startContainerd, type Containerd } from '../support/clients-daemon.ts'
import { Layout, manifestSchema } from '../support/clients-layout.ts'
import { startTap, type Overheard, type Tap } from '../support/clients-tap.ts'
import { clientHome, hostOf, needsRoot, needsTool, tool, type Home } from '../support/clients.ts'
import { mebibyte } from '../support/disks.ts'
import { content } from '../support/http-neighbour.ts'
import { needs } from '../support/programs.ts'
import { needsS3, startS3, type S3 } from '../support/s3.ts'
import { startService } from '../support/service.ts'
import type { Ended } from '../support/shell.ts'

const able = [
  needsS3(),
  canGuard(),
  needs('skopeo', 'apt-get install skopeo'),
  needs('curl', 'apt-get install curl'),
  needs('podman', 'apt-get install podman'),
  needs('containerd', 'apt-get install containerd'),
  needsRoot('podman'),
  needsTool('crane'),
  needsTool('oras'),
].every(Boolean)

const { name, secret } = accounts.editor
const credentials = `${name}:${secret}`
const layerSize = 12 * mebibyte

type Client = {
  readonly name: string
  /** @param from with its tag */
  readonly pull: (home: Home, from: string, daemon: Containerd) => Promise<Ended>
}

const clients: readonly Client[] = [
  {
    name: 'skopeo',
    pull: (home, from) => {
      const flags = ['--insecure-policy', 'copy', '--src-tls-verify=false']
      const source = ['--src-creds', credentials, `docker://${from}`]
      return home.attempt('skopeo', ...flags, ...source, 'dir:pulled')
    },
  },
  {
    name: 'crane',
    pull: async (home, from) => {
      const [host = ''] = from.split('/')
      const crane = tool('crane')
      await home.run(crane, '--insecure', 'auth', 'login', '-u', name, '-p', secret, host)
      return await home.attempt(crane, '--insecure', 'pull', '--format', 'oci', from, 'pulled')
    },
  },
  {
    name: 'oras',
    pull: (home, from) => {
      const who = ['--from-username', name, '--from-password', secret]
      const flags = ['--from-plain-http', ...who, '--to-oci-layout']
      return home.attempt(tool('oras'), 'cp', ...flags, from, 'pulled:1')
    },
  },
  {
    name: 'podman',
    pull: (home, from) => {
      const folders = ['root', 'runroot', 'tmpdir'].flatMap((each) => [`--${each}`, home.at(each)])
      const place = [...folders, '--storage-driver', 'vfs', '--events-backend', 'file']
      const how = ['--tls-verify=false', '--creds', credentials]
      return home.attempt('podman', ...place, 'pull', ...how, from)
    },
  },
  {
    name: 'containerd',
    pull: (home, from, { address }) => {
      // What one namespace has, another one has to fetch for itself.
      const there = ['--namespace', basename(home.path), 'images', 'pull']
      const how = ['--plain-http', '--snapshotter', 'native', '--user', credentials]
      return home.attempt('ctr', ...address, ...there, ...how, from)
    },
  },
]

/** A service that stores in S3 and sends its clients to the server by a tap, with an image in it. */
async function openShop(s3: S3, host: string, mode: 'always' | 'auto') {
  await using stack = new AsyncDisposableStack()
  const home = stack.use(await clientHome())
  const tap = stack.use(await startTap(s3.endpoint, { host }))
  const service = stack.use(
    await startService({
      ...(await callers(home)),
      ...s3.variables(basename(home.path)),
      SLIPWAY_S3_PUBLIC_ENDPOINT: tap.base,
      SLIPWAY_S3_REDIRECT: mode,
    }),
  )
  const layout = await Layout.begin(home.at('layout'))
  const image = await layout.image({ noise: content(layerSize, 0, 3) })
  await layout.finish({ 1: image })
  const to = ['--dest-tls-verify=false', '--dest-creds', credentials]
  const reference = `${hostOf(service.base)}/demo/image:1`
  const copy = ['--insecure-policy', 'copy', ...to, `oci:${layout.path}:1`, `docker://${reference}`]
  await home.run('skopeo', ...copy)
  const manifest = manifestSchema.parse(JSON.parse((await layout.bytes(image.digest)).toString()))
  const [layer] = manifest.layers
  if (!layer) throw new Error('the image has no layer')
  const held = stack.move()
  const dispose = () => held.disposeAsync()
  return { service, tap, home, reference, layout, image, layer, [Symbol.asyncDispose]: dispose }
}
type Shop = Awaited<ReturnType<typeof openShop>>

/** GETs of the layer's bytes that the S3 server has answered. */
function fetched({ overheard }: Tap): readonly Overheard[] {
  return overheard.filter(({ method, status }) => method === 'GET' && status < 300)
}

function bytesOf(tap: Tap): number {
  return fetched(tap).reduce((sum, { given }) => sum + given, 0)
}

describe.skipIf(!able)('pulls from S3', () => {
  const resources = new AsyncDisposableStack()
  let s3: S3
  let daemon: Containerd
  beforeAll(async () => {
    s3 = resources.use(await startS3())
    daemon = resources.use(await startContainerd(resources.use(await clientHome())))
  })
  afterAll(() => resources.disposeAsync())

  async function pullBy(client: Client, shop: Shop) {
    const before = bytesOf(shop.tap)
    const count = shop.tap.overheard.length
    await using home = await clientHome()
    const { code, stderr } = await client.pull(home, shop.reference, daemon)
    const seen = shop.tap.overheard.slice(count)
    return { code, stderr, bytes: bytesOf(shop.tap) - before, seen }
  }

  async function expectSentOn(client: Client, shop: Shop): Promise<void> {
    const { code, stderr, bytes, seen } = await pullBy(client, shop)
    expect(code, stderr).toBe(0)
    expect(bytes).toBeGreaterThan(layerSize)
    expect(seen.map(({ scheme }) => scheme).filter(Boolean)).toEqual([])
  }

  describe('that lies at another host', () => {
    let shop: Shop
    beforeAll(async () => {
      shop = await openShop(s3, '127.0.0.2', 'always')
    })
    afterAll(() => shop[Symbol.asyncDispose]())

    test.each(clients.filter(({ name }) => name !== 'crane'))(
      '$name fetches there, and does not show its credentials',
      async (client) => await expectSentOn(client, shop),
    )

    test('crane goes to no other private address', async () => {
      const crane = clients.filter(({ name }) => name === 'crane')
      for (const client of crane) {
        const { code, stderr } = await pullBy(client, shop)
        expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('SSRF') })
      }
      expect(crane).toHaveLength(1)
    })
  })

  describe('at the host of the service', () => {
    let auto: Shop
    let always: Shop
    beforeAll(async () => {
      auto = await openShop(s3, '127.0.0.1', 'auto')
      always = await openShop(s3, '127.0.0.1', 'always')
    })
    afterAll(async () => {
      await auto[Symbol.asyncDispose]()
      await always[Symbol.asyncDispose]()
    })

    test.each(clients)('$name is served by the service itself', async (client) => {
      const { code, bytes } = await pullBy(client, auto)
      expect({ code, bytes }).toEqual({ code: 0, bytes: 0 })
    })

    test.each(clients)('$name is sent on where that is wanted', async (client) => {
      await expectSentOn(client, always)
    })
  })

  describe('curl', () => {
    let shop: Shop
    const url = ({ service, layer }: Shop) => `${service.base}/v2/demo/image/blobs/${layer.digest}`
    const curl = (...args: readonly string[]) =>
      shop.home.run('curl', '-sS', '-u', credentials, ...args, url(shop))
    const status = ['-o', 'got', '-w', '%{http_code}']
    beforeAll(async () => {
      shop = await openShop(s3, '127.0.0.2', 'always')
    })
    afterAll(() => shop[Symbol.asyncDispose]())

    test.each([
      ['0-99', 0, 100],
      ['1000000-', 1_000_000, undefined],
      ['-7', -7, undefined],
    ])('follows with a range of %s', async (range, start, end) => {
      expect(await curl('-L', '-r', range, ...status)).toBe('206')
      const bytes = await shop.layout.bytes(shop.layer.digest)
      expect((await readFile(shop.home.at('got'))).equals(bytes.subarray(start, end))).toBe(true)
      expect(fetched(shop.tap).at(-1)).toMatchObject({ status: 206, scheme: undefined })
    })

    test('is told where the bytes are, for twenty minutes', async () => {
      const told = await curl('-o', 'got', '-w', '%{http_code} %{redirect_url}')
      const [code, location = ''] = told.split(' ')
      const { origin, searchParams } = new URL(location)
      expect(code).toBe('307')
      expect({ origin, for: searchParams.get('X-Amz-Expires') }).toEqual({
        origin: shop.tap.base,
        for: '1200',
      })
    })

    test('asks the service alone for the size', async () => {
      const before = shop.tap.overheard.length
      expect(await curl('-I', '-L', '-o', 'got', '-w', '%{http_code} %{num_redirects}')).toBe(
        '200 0',
      )
      expect(await readFile(shop.home.at('got'), 'latin1')).toMatch(
        new RegExp(`content-length: ${shop.layer.size}\r`, 'i'),
      )
      expect(shop.tap.overheard).toHaveLength(before)
    })

    test('shows its credentials there when it is told to trust the place', async () => {
      await curl('-L', '--location-trusted', ...status)
      expect(shop.tap.overheard.at(-1)).toMatchObject({ scheme: 'Basic' })
    })

    test('has nobody to show them to where the service and S3 have one host', async () => {
      await using auto = await openShop(s3, '127.0.0.1', 'auto')
      const flags = ['-sS', '-u', credentials, '-L', '--location-trusted', '-o', 'got']
      const told = ['-w', '%{http_code} %{num_redirects}', url(auto)]
      expect(await auto.home.run('curl', ...flags, ...told)).toBe('200 0')
    })

    test('finds a blob no more that was deleted', async () => {
      const { service, home, image } = shop
      const manifest = `${service.base}/v2/demo/image/manifests/${image.digest}`
      for (const what of [manifest, url(shop)]) {
        const flags = ['-sS', '-u', credentials, '-X', 'DELETE', '-w', '%{http_code}', '-o', 'got']
        expect(await home.run('curl', ...flags, what)).toBe('202')
      }
      expect(await curl('-L', ...status)).toBe('404')
    })
  })
})
