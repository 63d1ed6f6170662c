import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { canGuard, expectAccess, own } from '../support/clients-access.ts'
import { descriptorSchema, digestOf, manifestSchema } from '../support/clients-layout.ts'
import { startTap } from '../support/clients-tap.ts'
import { clientHome, hostOf, needsTool, said, tool, type Home } from '../support/clients.ts'
import { mebibyte } from '../support/disks.ts'
import { content } from '../support/http-neighbour.ts'
import { sha256Of } from '../support/images.ts'
import { startService, type Service } from '../support/service.ts'
import type { Ended } from '../support/shell.ts'

const able = [needsTool('oras'), canGuard()].every(Boolean)

const plain = '--plain-http'
const thing = 'application/vnd.example.thing'
const note = 'application/vnd.example.note'

const artifactSchema = manifestSchema.extend({
  artifactType: z.string(),
  subject: descriptorSchema.optional(),
})
const referrerSchema = descriptorSchema.extend({ artifactType: z.string() })
const discoveredSchema = z.object({ referrers: z.array(referrerSchema).nullish() })

async function attempted(home: Home, ...args: readonly string[]): Promise<Ended> {
  return await home.attempt(tool('oras'), ...args)
}

describe.skipIf(!able)('oras', () => {
  const resources = new AsyncDisposableStack()
  let service: Service
  let home: Home
  const at = (name: string) => `${hostOf(service.base)}/${name}`
  const oras = (...args: readonly string[]) => home.run(tool('oras'), ...args)

  beforeAll(async () => {
    home = resources.use(await clientHome())
    service = resources.use(await startService())
    await writeFile(home.at('a.txt'), 'a thing\n')
    await writeFile(home.at('b.txt'), 'a note on it\n')
    await writeFile(home.at('empty.txt'), '')
  })
  afterAll(() => resources.disposeAsync())

  /** @param name with its tag */
  async function push(name: string, ...files: readonly string[]): Promise<string> {
    await oras('push', plain, '--artifact-type', thing, at(name), ...files)
    return await digest(name)
  }

  async function attach(name: string): Promise<void> {
    await oras('attach', plain, '--artifact-type', note, at(name), 'b.txt:text/plain')
  }

  async function digest(name: string): Promise<string> {
    const told = await oras('manifest', 'fetch', plain, '--descriptor', at(name))
    return descriptorSchema.parse(JSON.parse(told)).digest
  }

  async function discover(name: string, ...more: readonly string[]) {
    const told = await oras('discover', plain, '--format', 'json', ...more, at(name))
    return discoveredSchema.parse(JSON.parse(told)).referrers ?? []
  }

  async function tags(repository: string): Promise<readonly string[]> {
    return (await oras('repo', 'tags', plain, at(repository))).trim().split('\n')
  }

  test('pushes an artifact with its type, and pulls it', async () => {
    await push('demo/thing:1', 'a.txt:text/plain', 'empty.txt:text/plain')
    const { artifactType, layers } = artifactSchema.parse(
      JSON.parse(await oras('manifest', 'fetch', plain, at('demo/thing:1'))),
    )
    expect(artifactType).toBe(thing)
    expect(layers.map(({ size }) => size)).toEqual([8, 0])
    await oras('pull', plain, '-o', 'thing', at('demo/thing:1'))
    expect(await readFile(home.at('thing/a.txt'), 'utf8')).toBe('a thing\n')
    expect(await readFile(home.at('thing/empty.txt'), 'utf8')).toBe('')
  })

  test('attaches to an artifact and finds it, without a tag that stands in for a list', async () => {
    const subject = await push('demo/attached:1', 'a.txt:text/plain')
    expect(await discover('demo/attached:1')).toEqual([])
    await attach('demo/attached:1')
    await oras('attach', plain, '--artifact-type', thing, at('demo/attached:1'), 'a.txt:text/plain')
    const all = await discover('demo/attached:1', '--distribution-spec', 'v1.1-referrers-api')
    expect(all.map(({ artifactType }) => artifactType).sort()).toEqual([note, thing])
    const [found, ...others] = await discover('demo/attached:1', '--artifact-type', note)
    expect(others).toEqual([])
    const attached = await oras('manifest', 'fetch', plain, at(`demo/attached@${found?.digest}`))
    expect(artifactSchema.parse(JSON.parse(attached)).subject?.digest).toBe(subject)
    expect(await tags('demo/attached')).toEqual(['1'])
    await oras('manifest', 'delete', plain, '--force', at(`demo/attached@${found?.digest}`))
    expect(await discover('demo/attached:1', '--artifact-type', note)).toEqual([])
    expect(await tags('demo/attached')).toEqual(['1'])
  })

  test('copies an artifact with all that refers to it, and sends no file again', async () => {
    const subject = await push('demo/from:1', 'a.txt:text/plain')
    await attach('demo/from:1')
    const [referrer] = await discover('demo/from:1')
    await oras(
      'attach',
      plain,
      '--artifact-type',
      note,
      at(`demo/from@${referrer?.digest}`),
      'a.txt:text/plain',
    )
    await using tap = await startTap(service.base)
    const [from, to] = ['demo/from:1', 'demo/to:1'].map((name) => `${hostOf(tap.base)}/${name}`)
    await oras('cp', '-r', '--from-plain-http', '--to-plain-http', from ?? '', to ?? '')
    const uploads = tap.overheard.filter(({ path }) => path.includes('/blobs/uploads/'))
    expect(new Set(uploads.map(({ method, status }) => `${method} ${status}`))).toEqual(
      new Set(['POST 201']),
    )
    expect(await digest('demo/to:1')).toBe(subject)
    expect((await discover('demo/to:1')).map(({ digest }) => digest)).toEqual([referrer?.digest])
    expect(await discover(`demo/to@${referrer?.digest}`)).toHaveLength(1)
    expect(await tags('demo/to')).toEqual(['1'])
  })

  test('copies to a layout of files and back', async () => {
    const subject = await push('demo/layout:1', 'a.txt:text/plain', 'empty.txt:text/plain')
    await attach('demo/layout:1')
    await oras('cp', '-r', '--from-plain-http', '--to-oci-layout', at('demo/layout:1'), 'files:1')
    await oras('cp', '-r', '--from-oci-layout', '--to-plain-http', 'files:1', at('demo/back:1'))
    expect(await digest('demo/back:1')).toBe(subject)
    expect(await discover('demo/back:1')).toHaveLength(1)
  })

  test('keeps an artifact with all that refers to it in a file, and brings it back', async () => {
    const subject = await push('demo/kept:1', 'a.txt:text/plain')
    await attach('demo/kept:1')
    const kept = ['--output', 'kept.tar', '--include-referrers']
    await oras('backup', plain, ...kept, at('demo/kept:1'))
    await oras('restore', plain, '--input', 'kept.tar', at('demo/restored:1'))
    expect(await digest('demo/restored:1')).toBe(subject)
    expect(await discover('demo/restored:1')).toHaveLength(1)
    expect(await tags('demo/restored')).toEqual(['1'])
  })

  test('pushes, fetches and deletes a blob', async () => {
    for (const file of ['a.txt', 'empty.txt']) {
      const bytes = await readFile(home.at(file))
      const blob = at(`demo/blob@${digestOf(bytes)}`)
      await oras('blob', 'push', plain, at('demo/blob'), file)
      await oras('blob', 'fetch', plain, '--output', 'blob', blob)
      expect((await readFile(home.at('blob'))).equals(bytes)).toBe(true)
      await oras('blob', 'delete', plain, '--force', blob)
      const gone = await attempted(home, 'blob', 'fetch', plain, '--output', 'gone', blob)
      expect(said(gone)).toContain('not found')
    }
  })

  test('fetches, pushes, tags and deletes a manifest', async () => {
    const first = await push('demo/manifest:1', 'a.txt:text/plain')
    await oras('manifest', 'fetch', plain, '--output', 'manifest.json', at('demo/manifest:1'))
    expect(digestOf(await readFile(home.at('manifest.json')))).toBe(first)
    await oras('manifest', 'push', plain, at('demo/manifest:2,3'), 'manifest.json')
    await oras('tag', plain, at('demo/manifest:1'), '4')
    expect(await tags('demo/manifest')).toEqual(['1', '2', '3', '4'])
    await oras('manifest', 'index', 'create', plain, at('demo/manifest:all'), '1')
    expect(await digest('demo/manifest:all')).not.toBe(first)
    const remove = ['manifest', 'delete', plain, '--force', at(`demo/manifest@${first}`)]
    expect(said(await attempted(home, ...remove))).toContain('is used by the manifest')
    await oras('manifest', 'delete', plain, '--force', at('demo/manifest:all'))
    await oras(...remove)
    const gone = await attempted(home, 'repo', 'tags', plain, at('demo/manifest'))
    expect(said(gone)).toContain('name unknown: there is no repository "demo/manifest"')
  })

  test('lists the repositories', async () => {
    await push('listed/deep/one:1', 'a.txt:text/plain')
    const all = await oras('repo', 'ls', plain, hostOf(service.base))
    expect(all.trim().split('\n')).toContain('listed/deep/one')
    expect((await oras('repo', 'ls', plain, at('listed'))).trim()).toBe('deep/one')
  })

  test('pushes and pulls a file of 200 MiB', async () => {
    await writeFile(home.at('large.bin'), content(200 * mebibyte, 0, 9))
    await push('demo/large:1', 'large.bin')
    await oras('pull', plain, '-o', 'large', at('demo/large:1'))
    expect(await sha256Of(home.at('large/large.bin'))).toBe(await sha256Of(home.at('large.bin')))
  })

  test("shows the service's own words", async () => {
    const refused = await attempted(home, 'push', plain, at('cvi/x:1'), 'a.txt:text/plain')
    expect(said(refused)).toContain('denied: repositories under cvi/ are written by ingestion')
  })
})

describe.skipIf(!able)('credentials', () => {
  expectAccess(
    {
      name: 'oras',
      login: (home, host, { name, secret }) =>
        attempted(home, 'login', plain, '-u', name, '-p', secret, host),
      push: (home, to) => attempted(home, 'push', plain, to, 'own.bin'),
      pull: (home, from) =>
        attempted(home, 'cp', '--from-plain-http', '--to-oci-layout', from, 'pulled:1'),
      copy: (home, from, to) =>
        attempted(home, 'cp', '--from-plain-http', '--to-plain-http', from, to),
      denied: /denied: .*may not push/,
      ingested: /denied: repositories under cvi\/ are written by ingestion/,
    },
    (home) => writeFile(home.at('own.bin'), own.noise),
  )
})
