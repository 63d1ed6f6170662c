import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, readdirSync, statSync } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noise } from '../fixtures/noise.ts'
import { startPeer } from '../support/clients-daemon.ts'
import { Layout } from '../support/clients-layout.ts'
import { startTap } from '../support/clients-tap.ts'
import { clientHome, hostOf, type Home } from '../support/clients.ts'
import { push } from '../support/container-images.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { expectOnly } from '../support/leftovers.ts'
import { peakMemory, tellsMemory } from '../support/peak-memory.ts'
import { needs } from '../support/programs.ts'
import type { Image } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const able = [
  tellsMemory(),
  needs('docker-registry', 'apt-get install docker-registry'),
  needs('skopeo', 'apt-get install skopeo'),
  needs('tar', 'apt-get install tar'),
].every(Boolean)

const gibibyte = 1024 * mebibyte
/** The room is looked at whenever so many bytes have come. */
const lookEvery = 16 * mebibyte
/**
 * What an import may take beside what the service took for a small one, which starts the threads that hash and unpack and
 * loads their programs: measured are 16 to 48 MiB, and the layer alone is ten times as much as is allowed here.
 */
const mostMemory = 96 * mebibyte
/** For one import, and for one test; on a machine that has other work, too; in milliseconds. */
const patience = 600_000
const limit = 1_200_000

/** Bytes that a folder takes on the disk; what goes while this looks takes none. */
function roomOf(folder: string): number {
  const blocks = readdirSync(folder, { recursive: true, withFileTypes: true }).map(
    (entry) => statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.blocks ?? 0,
  )
  return blocks.reduce((sum, count) => sum + count * 512, 0)
}

async function sha256Of(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(bytes, hash)
  return hash.digest('hex')
}

describe.skipIf(!able)('a large disk out of a container image', () => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let host: string
  let small: string

  beforeAll(async () => {
    home = resources.use(await clientHome())
    host = hostOf(resources.use(await startPeer(home)).base)
    await mkdir(home.at('disk'))
    await writeFile(home.at('disk/small'), disk(mebibyte))
    small = await pushed('small')
  })
  afterAll(() => resources.disposeAsync())

  /** Puts `disk/<name>` at the registry, in a layer that tar and gzip make of it. */
  async function pushed(name: string): Promise<string> {
    const layout = await Layout.begin(home.at(`layout-${name}`))
    const tar = spawn('tar', ['-cf', '-', `disk/${name}`], {
      cwd: home.path,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await layout.finish({ 1: await layout.piped(tar.stdout) })
    const path = `team/${name}:1`
    await push(home, `oci:${layout.path}:1`, `${host}/${path}`)
    return path
  }

  /**
   * Imports a small disk, and drops it.
   * @returns the most memory that the service has taken so far, in bytes
   */
  async function warm({ rest, pid }: Service): Promise<number> {
    const image = `${host}/${small}`
    await rest.create('small', { type: 'ContainerImage', containerImage: { image } })
    await rest.ready('small')
    await rest.delete('small')
    return await peakMemory(pid)
  }

  /** Waits without asking: that would cost memory and time, which are measured here. */
  async function taken({ rest, logs }: Service, image: string): Promise<Image> {
    await rest.create('large', { type: 'ContainerImage', containerImage: { image } })
    await logs.line((line) => line['image'] === 'large', 0, patience)
    return await rest.ready('large')
  }

  test(
    'of 9 GiB is taken without the room that its holes would take',
    { timeout: limit },
    async () => {
      const size = 9 * gibibyte
      const path = home.at('disk/sparse')
      await using file = await open(path, 'wx')
      await file.write(disk(mebibyte), 0, mebibyte, 0)
      await file.truncate(size)
      await file.write(noise(mebibyte), 0, mebibyte, 8.5 * gibibyte)
      const expected = await sha256Of(createReadStream(path, { highWaterMark: mebibyte }))
      await using service = await startService()
      const before = await warm(service)
      const { status } = await taken(service, `${host}/${await pushed('sparse')}`)
      expect(status).toMatchObject({
        format: 'raw',
        size: { unpacked: '9Gi', unpackedBytes: String(size) },
        source: { bytes: String(size), sha256: expected },
      })
      expect((await peakMemory(service.pid)) - before).toBeLessThan(mostMemory)
      const [read]: readonly IncomingMessage[] = await once(
        get(service.rest.url('/large/disk')),
        'response',
      )
      expect(await sha256Of(read ?? expect.fail('no answer'))).toBe(expected)
      expect(roomOf(service.folder)).toBeLessThan(64 * mebibyte)
      await expectOnly(service.folder, ['large'])
    },
  )

  test(
    'of 2 GiB in a layer of 1 GiB is written once and never held',
    { timeout: limit },
    async () => {
      const size = 2 * gibibyte
      // Half of each byte is noise: what is packed takes half of what is inside, and nothing is a hole.
      const block = Buffer.from(noise(mebibyte).map((byte) => (byte & 0x0f) | 0x40))
      const half = home.at('disk/half')
      await using file = await open(half, 'wx')
      for (let at = 0; at < size; at += block.length) await file.write(block, 0, block.length, at)
      await file.write(disk(512), 0, 512, 0)
      const path = await pushed('half')
      await using service = await startService()
      const before = await warm(service)
      const rooms: number[] = []
      await using tap = await startTap(`http://${host}`, {
        onGiven({ given }) {
          if (given >= rooms.length * lookEvery) rooms.push(roomOf(service.folder))
        },
      })
      const { status } = await taken(service, `${hostOf(tap.base)}/${path}`)
      expect(status).toMatchObject({ format: 'raw', size: { unpackedBytes: String(size) } })
      rooms.push(roomOf(service.folder))
      expect(rooms.length).toBeGreaterThan(50)
      expect(Math.max(...rooms)).toBeLessThan(size + 64 * mebibyte)
      expect((await peakMemory(service.pid)) - before).toBeLessThan(mostMemory)
      await expectOnly(service.folder, ['large'])
    },
  )
})
