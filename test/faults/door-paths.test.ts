import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { inTurns } from '../support/door.ts'
import { startHostileRegistry, type HostileRegistry } from '../support/hostile-registry.ts'
import { Jail } from '../support/jail.ts'
import { tarOf } from '../support/layer-arrangements.ts'
import { blob, blobDigest, manifest, requestWithTrick } from '../support/path-requests.ts'
import { tricks } from '../support/path-tricks.ts'
import { program } from '../support/program.ts'
import type { Random } from '../support/random.ts'
import { exchange } from '../support/raw-http.ts'
import { get, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { tryOut } from './trial.ts'

/** Requests of a round, and at the same time. */
const ofRound = 100
const atOnce = 8
/** Milliseconds to the end of an import. */
const importsWithin = 60_000

tryOut('door-paths', async (trial) => {
  await using jail = await Jail.open()
  await using service = await startService(jail.variables, jail.at('cwd'))
  await using registry = await startHostileRegistry()
  const bytes = disk(mebibyte)
  await send(await service.rest.createUpload('victim'), bytes)
  await ask(service, `POST /v2/shelf/blobs/uploads/?digest=${blobDigest}`, blob)
  await jail.expectContained()
  for (const { index, random } of trial.rounds()) {
    const requests = Array.from({ length: ofRound }, () => requestWithTrick(random))
    await inTurns(requests, atOnce, async ({ what, method, bytes: sent }) => {
      const { answers } = await exchange(whereOf(service), [sent], { methods: [method] })
      const [answer] = answers
      expect(answer?.status ?? 500, what).toBeLessThan(500)
      expect(answer?.head, what).not.toMatch(/^x-injected/im)
      trial.tried += 1
    })
    await importMember(service, registry, trickAt(index), random)
    trial.note('members of archives')
    await download(registry, jail, trickAt(index))
    trial.note('names of downloads')
    await jail.expectContained()
    await clear(service)
    service.logs.forget()
  }
  await expectTwoCases(service)
  await jail.expectContained()
  await expectSafeLinks(jail, service)
  const pulled = await get(service.rest.url('/victim/disk'))
  expect(Buffer.from(await pulled.arrayBuffer()).equals(bytes)).toBe(true)
})

const whereOf = ({ base }: Service) => ({ port: Number(new URL(base).port), isTls: false })

async function ask(service: Service, what: string, body: Uint8Array<ArrayBuffer>, type = '') {
  const [method = '', path = ''] = what.split(' ')
  const headers = type === '' ? {} : { 'content-type': type }
  const answer = await fetch(service.base + path, { method, body, headers })
  expect(answer.status, `${what}: ${await answer.text()}`).toBe(201)
}

/** A disk under a name that leads elsewhere, beside members that would be written elsewhere by who unpacks them. */
async function importMember(
  service: Service,
  registry: HostileRegistry,
  trick: string,
  random: Random,
): Promise<void> {
  const bytes = disk(mebibyte)
  const name = `${random.pick(['', '/', './', '../', 'disk/../../', 'disk/'])}${memberOf(trick)}`
  const linkname = random.pick(['../../../../../../etc', '/etc', '..', 'data/server.key'])
  const type = random.pick(['symlink', 'link'] as const)
  const layer = await tarOf([
    { name: 'disk', type, linkname },
    { name: '../../cwd/outside', bytes: Buffer.from('outside') },
    { name, bytes },
  ])
  const image = registry.image('tricked', [layer])
  await service.rest.create('tricked', { type: 'ContainerImage', containerImage: { image } })
  const ended = await service.rest.until(
    'tricked',
    ({ status }) => status.phase === 'Ready' || status.phase === 'Failed',
    importsWithin,
  )
  if (ended.status.phase !== 'Ready') return
  const pulled = await get(service.rest.url('/tricked/disk'))
  expect(Buffer.from(await pulled.arrayBuffer()).equals(bytes), name).toBe(true)
}

/** Those that lead furthest come first, so that the fewest rounds see them. */
function trickAt(index: number): string {
  return tricks[index % tricks.length] ?? '..'
}

/** What tar itself can spell. */
function memberOf(trick: string): string {
  return trick.replaceAll('\0', '').slice(0, 90) || 'x'
}

/** A service that gives a disk a name that leads elsewhere: the file is where the user stands, or none. */
async function download({ neighbour }: HostileRegistry, jail: Jail, trick: string): Promise<void> {
  const bytes = Buffer.from('disk')
  const name = trick.replaceAll(/[^\x20-\x7e]/g, '?')
  neighbour.serve('/api/v1/images/x/disk', {
    bytes,
    etag: `"${digestOf(bytes)}"`,
    ranges: 'honest',
    headers: { 'content-disposition': `attachment; filename="${name.slice(0, 300)}"` },
  })
  const cwd = jail.at('cwd')
  const env = { PATH: process.env['PATH'], ...jail.variables }
  const url = new URL(neighbour.url('/')).origin
  const args = [program, 'images', 'download', 'x', '--force']
  const ended = await attempt(process.execPath, args, { cwd, env: { ...env, SLIPWAY_URL: url } })
  expect(ended.code, `${name}: ${ended.stderr}`).toBeLessThan(128)
}

/** What a round has made goes, so that hours of them take no more room than one. */
async function clear({ rest }: Service): Promise<void> {
  for (const name of await rest.names()) if (name !== 'victim') await rest.delete(name)
}

/** Links that somebody has put into the data folder lead nobody who sweeps to what is elsewhere. */
async function expectSafeLinks(jail: Jail, service: Service): Promise<void> {
  await service.stop()
  const elsewhere = jail.at('elsewhere')
  const file = join(elsewhere, 'a'.repeat(64))
  await mkdir(elsewhere)
  await writeFile(file, 'kept')
  for (const at of ['data/staging/link', 'data/repositories/link', 'data/blobs/sha256/zz']) {
    await symlink(elsewhere, jail.at(at))
  }
  await service.start()
  await (await fetch(`${service.base}/api/v1/storage/gc`, { method: 'POST' })).text()
  expect(await readFile(file, 'utf8')).toBe('kept')
}

/** Names that differ by the case of a letter alone are two. */
async function expectTwoCases(service: Service): Promise<void> {
  const { bytes, mediaType } = manifest
  await ask(service, 'PUT /v2/shelf/manifests/case', bytes, mediaType)
  const other = Buffer.concat([bytes, Buffer.from('\n')])
  await ask(service, 'PUT /v2/shelf/manifests/Case', other, mediaType)
  for (const [tag, expected] of [
    ['case', bytes],
    ['Case', other],
  ] as const) {
    const answer = await get(`${service.base}/v2/shelf/manifests/${tag}`, { accept: mediaType })
    expect(Buffer.from(await answer.arrayBuffer()).equals(expected), tag).toBe(true)
  }
}
