import { readFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { z } from 'zod'
import { digestOf, parseDigest, type Digest } from '../../src/image/digest.ts'
import { basic, tokenOf, writeCallers } from '../support/callers.ts'
import { disk } from '../support/disks.ts'
import { expectAnswer } from '../support/fuzz/expect-answer.ts'
import { inParallel } from '../support/fuzz/in-parallel.ts'
import { Jail } from '../support/fuzz/jail.ts'
import { requestAt, type Operation, type World } from '../support/fuzz/requests.ts'
import { WireClient } from '../support/fuzz/wire-client.ts'
import { RegistryClient, locationOf } from '../support/registry-client.ts'
import { get, send, type Rest } from '../support/rest.ts'
import type { Service } from '../support/service.ts'
import { tryOut } from './trial.ts'

/** Of one round. */
const requests = 500
/** At the same time. */
const senders = 16
/** Bytes that the service may take: it starts with about 150 MiB. */
const mostMemory = 700 * 1_048_576

const bytes = disk(65_536)
const [kept, waiting, failed] = ['kept', 'waiting', 'failed']
const authorization = `Bearer ${tokenOf('admin')}`

tryOut('fuzz-routes', async (trial) => {
  await using jail = await Jail.start(variables)
  const { service } = jail
  const rest = service.rest.as(tokenOf('admin'))
  await expectStored(service, rest)
  const before = await jail.outside()
  using client = new WireClient(() => service.base)
  for (const { random } of trial.rounds()) {
    const world = await furnish(service, rest)
    const askings = Array.from({ length: requests }, () => requestAt(world, random))
    await inParallel(senders, askings, async (asking) => {
      const answer = await client.ask(asking)
      trial.tried += 1
      trial.note(answer ? `answered ${Math.floor(answer.status / 100)}xx` : 'cut off')
      if (answer) expectAnswer(asking, answer, jail.folder)
    })
    expect((await get(`${service.base}/healthz`)).status).toBe(200)
    await expectKept(service)
    await jail.expectSame(before)
    expect(await memoryOf(service.pid)).toBeLessThan(mostMemory)
    for (const { name } of (await rest.list('?limit=1000')).items) {
      if (name !== kept) await rest.delete(name)
    }
    service.logs.forget()
  }
  await service.stop()
})

async function variables(folder: string) {
  const paths = await writeCallers(folder)
  return {
    SLIPWAY_TOKENS_FILE: paths.tokens,
    SLIPWAY_HTPASSWD_FILE: paths.passwords,
    SLIPWAY_ACCESS_FILE: paths.access,
    SLIPWAY_TRUSTED_PROXIES: '127.0.0.0/8',
    SLIPWAY_CORS_ORIGINS: 'https://page.example',
    // Whatever name a source has, nobody is asked for it.
    HTTP_PROXY: 'http://127.0.0.1:9',
    HTTPS_PROXY: 'http://127.0.0.1:9',
  }
}

async function expectStored(service: Service, rest: Rest): Promise<void> {
  const url = await rest.createUpload(kept)
  expect((await send(url, bytes)).status).toBe(201)
  await expectKept(service)
}

/** It is pulled as it was pushed, by both ways. */
async function expectKept(service: Service): Promise<void> {
  const headers = { authorization }
  const file = await get(service.rest.url(`/${kept}/disk`), headers)
  expect(Buffer.from(await file.arrayBuffer()).equals(bytes)).toBe(true)
  const manifest = await get(`${service.base}/v2/cvi/${kept}/manifests/latest`, headers)
  const text = Buffer.from(await manifest.arrayBuffer())
  const digest = parseDigest(manifest.headers.get('docker-content-digest') ?? '')
  expect(digestOf(text)).toBe(digest)
  for (const part of partsOf(text)) {
    const blob = await get(`${service.base}/v2/cvi/${kept}/blobs/${part}`, headers)
    expect(digestOf(Buffer.from(await blob.arrayBuffer()))).toBe(part)
  }
}

const part = z.object({ digest: z.string() })
const manifestSchema = z.object({ config: part, layers: z.array(part) })

function partsOf(manifest: Buffer): readonly Digest[] {
  const { config, layers } = manifestSchema.parse(JSON.parse(manifest.toString()))
  return [config, ...layers].map(({ digest }) => parseDigest(digest))
}

const documentSchema = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })

/** Something in every state that requests may meet. */
async function furnish(service: Service, rest: Rest): Promise<World> {
  const headers = { authorization }
  const document = await (await get(`${service.base}/openapi.json`)).json()
  const url = await rest.createUpload(waiting)
  await rest.createFrom(failed, 'http://nowhere.example/disk.img')
  const begun = await new RegistryClient(() => service.base).ask(
    'POST',
    '/v2/fuzz/a/blobs/uploads/',
    { headers },
  )
  const manifest = await get(`${service.base}/v2/cvi/${kept}/manifests/latest`, headers)
  const digest = manifest.headers.get('docker-content-digest') ?? ''
  const config = Buffer.from('{}')
  const pushed = await new RegistryClient(() => service.base).ask(
    'POST',
    `/v2/fuzz/a/blobs/uploads/?digest=${digestOf(config)}`,
    { headers, body: config },
  )
  expect(pushed.status).toBe(201)
  return {
    operations: operationsOf(documentSchema.parse(document)),
    images: [kept, waiting, failed, 'fuzz-a', 'fuzz-b', 'nowhere'],
    tokens: [url.slice(url.lastIndexOf('/') + 1), 'x'.repeat(32), 'x'],
    digests: [
      digest,
      digestOf(config),
      digestOf(Buffer.from('nobody'), 'sha512'),
      ...partsOf(Buffer.from(await manifest.arrayBuffer())),
      'sha256:x',
    ],
    sessions: [locationOf(begun).split('/').at(-1) ?? '', 'x'],
    repository: 'fuzz/a',
    etag: `"${digest}"`,
    authorizations: [
      authorization,
      `Bearer ${tokenOf('viewer')}`,
      `Bearer ${tokenOf('editor')}`,
      basic('node', 'of the cluster'),
      basic('admin', 'x'),
      'Basic',
      'Basic %%%',
      `Basic ${Buffer.from('nocolon').toString('base64')}`,
      `Basic ${Buffer.from('a\0b:\xff').toString('base64')}`,
      'Bearer ',
      'Bearer a.b.c',
      `Bearer ${'x'.repeat(8000)}`,
      'Digest username="x"',
      'x',
    ],
  }
}

/** And the place of the registry that clients ask for without its slash. */
function operationsOf({ paths }: z.output<typeof documentSchema>): World['operations'] {
  const known = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method): Operation => ({ method: method.toUpperCase(), path })),
  )
  return [{ method: 'GET', path: '/v2' }, ...known]
}

/** Bytes that a process holds now (proc(5), VmRSS). */
async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}
