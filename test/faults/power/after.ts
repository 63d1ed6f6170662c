import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect } from 'vitest'
import { openService } from '../../../src/app.ts'
import { hostPort, readSettings } from '../../../src/env.ts'
import { digestOf } from '../../../src/image/digest.ts'
import { decisionLength } from '../../../src/inspect/table.ts'
import { openLog } from '../../../src/log.ts'
import { FilesystemStore } from '../../../src/store/filesystem.ts'
import { contentsOf, expectSound } from '../../support/model-store.ts'
import { bytesOf, expectStatus, RegistryClient } from '../../support/registry-client.ts'
import { get, problemOf, Rest, type Image } from '../../support/rest.ts'
import { collectAll } from '../../support/model-upkeep.ts'
import type { BlobStory, ImageStory, Ledger, ManifestStory, TagStory, Told } from './ledger.ts'

/** Where the power went. */
export type Crash = {
  /** Bytes of the recording before. */
  readonly place: number
  /** Whether it was long enough ago that an upload was told of bytes: it may lose the last second. */
  readonly isKept: (told: Told) => boolean
}

/** How long the service may take to finish what it can finish alone, in milliseconds. */
const patience = 30_000

/** The service on what a power cut has left, and everything that it had promised. */
export class Aftermath {
  readonly #ledger: Ledger
  readonly #crash: Crash
  readonly #base: string
  readonly #rest: Rest
  readonly #client: RegistryClient

  private constructor(ledger: Ledger, crash: Crash, base: string) {
    this.#ledger = ledger
    this.#crash = crash
    this.#base = base
    this.#rest = new Rest(() => base)
    this.#client = new RegistryClient(() => base)
  }

  /** Starts on the folder, holds everything against what was promised, finishes what was begun, sweeps, and looks again. */
  static async check(folder: string, ledger: Ledger, crash: Crash): Promise<void> {
    const { settings, problems } = readSettings({
      SLIPWAY_LISTEN: '127.0.0.1:0',
      SLIPWAY_SOURCE_ALLOW: '127.0.0.0/8',
      SLIPWAY_DATA_DIR: folder,
    })
    if (!settings) throw new Error(problems.join())
    const service = await openService(settings, openLog({ level: 'silent', format: 'json' }))
    try {
      const after = new Aftermath(ledger, crash, `http://${hostPort(service.address)}`)
      await after.#look()
      await collectAll({ base: after.#base })
    } finally {
      await service.stop()
    }
    expectSoundCatalog(join(folder, 'catalog.sqlite'))
    await expectNothingLeft(folder)
  }

  async #look(): Promise<void> {
    const { images, blobs, manifests, tags } = this.#ledger
    // Before anything goes on: what goes on may bring back what was lost.
    for (const story of images) await this.#image(story)
    for (const story of tags) await this.#tag(story)
    for (const story of manifests) await this.#manifest(story)
    for (const story of blobs) await this.#blob(story)
    for (const story of images) await this.#finish(story)
    const { status } = await get(`${this.#base}/readyz`)
    expect(status).toBe(200)
  }

  /** Of uploads that were interrupted: how much is here. */
  async #image(story: ImageStory): Promise<void> {
    const possible = story.is.at(this.#crash.place)
    const image = await this.#imageOrNull(story.name)
    if (image === null) return expectOneOf(possible, 'absent', story.name)
    const { phase } = image.status
    if (phase === 'Terminating') return expectOneOf(possible, 'absent', story.name)
    if (phase === 'Ready') return await this.#ready(story, image)
    expectOneOf(possible, 'unfinished', `${story.name}, which is ${phase},`)
    if (story.way === 'upload') await this.#uploadOf(story)
  }

  async #imageOrNull(name: string): Promise<Image | null> {
    const answer = await get(this.#rest.url(`/${name}`))
    if (answer.status === 404) {
      await problemOf(answer)
      return null
    }
    await answer.body?.cancel()
    return await this.#rest.image(name)
  }

  async #ready({ name, is, bytes, digest }: ImageStory, { status }: Image): Promise<void> {
    const possible = is.at(this.#crash.place)
    if (!possible.has('ready') && !possible.has('unfinished')) {
      throw new Error(`${name} is Ready, and was deleted`)
    }
    const read = await bytesOf(await get(this.#rest.url(`/${name}/disk`)))
    if (!read.equals(bytes)) throw new Error(`the disk of ${name} has other bytes`)
    const manifest = await this.#client.manifest('GET', `cvi/${name}`, 'latest')
    const found = digestOf(await bytesOf(manifest))
    expect(found, name).toBe(status.target?.digest)
    if (digest && digest.place <= this.#crash.place) expect(found, name).toBe(digest.is)
  }

  /** @returns the bytes that are here; null when the image gets Ready by itself */
  async #uploadOf(story: ImageStory): Promise<number | null> {
    if (story.uploadPath === null) return null
    const { told } = story
    const answer = await fetch(this.#base + story.uploadPath, { method: 'HEAD' })
    if (answer.status === 410) return null
    const text = answer.headers.get('upload-offset') ?? ''
    const offset = Number(text)
    expect({ status: answer.status, text }, story.name).toEqual({
      status: 200,
      text: String(offset),
    })
    // As many as the first look wants are held until it has them.
    const isStored = ({ offset }: Told) => offset >= decisionLength
    const least = mostOf(told.filter((each) => isStored(each) && this.#crash.isKept(each)))
    if (offset < least) throw new Error(`${story.name} has ${offset} bytes, and ${least} were told`)
    return offset
  }

  /** What is under way gets Ready, with what is sent to it or alone. */
  async #finish(story: ImageStory): Promise<void> {
    const image = await this.#imageOrNull(story.name)
    if (image === null || image.status.phase === 'Ready') return
    if (image.status.phase === 'Terminating') return await this.#vanishes(story.name)
    // The power went before anybody had heard where to send it to.
    if (story.way === 'upload' && story.uploadPath === null) return
    const offset = story.way === 'upload' ? await this.#uploadOf(story) : null
    const isWhole = offset === story.bytes.length
    if (offset !== null && !isWhole) await this.#sendRest(story, offset)
    await this.#ready(story, await this.#rest.ready(story.name, patience))
  }

  async #vanishes(name: string): Promise<void> {
    await expect.poll(() => this.#imageOrNull(name)).toBeNull()
  }

  async #sendRest({ uploadPath, bytes }: ImageStory, offset: number): Promise<void> {
    const url = this.#base + (uploadPath ?? '')
    const range = `bytes ${offset}-${bytes.length - 1}/${bytes.length}`
    const headers = offset > 0 ? { 'content-range': range } : {}
    const rest = await fetch(url, { method: 'PUT', headers, body: bytes.subarray(offset) })
    await expectStatus(rest, 201)
  }

  async #tag({ repository, tag, is }: TagStory): Promise<void> {
    const answer = await this.#client.manifest('HEAD', repository, tag)
    const digest = answer.headers.get('docker-content-digest') ?? 'none'
    expectOneOf(is.at(this.#crash.place), digest, `${repository}:${tag}`)
  }

  async #manifest({ repository, bytes, is }: ManifestStory): Promise<void> {
    const answer = await this.#client.manifest('GET', repository, digestOf(bytes))
    const read = await bytesOf(answer)
    const found = answer.status === 404 ? 'absent' : 'present'
    expectOneOf(is.at(this.#crash.place), found, `a manifest of ${repository}`)
    if (found === 'present') expect(read.equals(bytes), repository).toBe(true)
  }

  /** What is under way is finished. */
  async #blob(story: BlobStory): Promise<void> {
    const { repository, bytes, is, session } = story
    const possible = is.at(this.#crash.place)
    const answer = await this.#client.blob('GET', repository, digestOf(bytes))
    const read = await bytesOf(answer)
    if (answer.status === 200) {
      expect(read.equals(bytes), `the bytes of a blob of ${repository}`).toBe(true)
      if (possible.has('blob') || possible.has('free')) return
      throw new Error(`a blob of ${repository} is here, and was not finished`)
    }
    if (possible.has('free')) return
    const last = session === null ? null : await this.#client.last(session)
    if (last === null) {
      // Bytes that had got to their place may be found to be a blob when their session is asked for.
      const isBlob = await this.#isBlob(repository, bytes)
      return expectOneOf(possible, isBlob ? 'blob' : 'absent', `a blob of ${repository}`)
    }
    expectOneOf(possible, 'session', `a blob of ${repository}`)
    await this.#finishPush(story, session ?? '', last === 0 ? 0 : last + 1)
  }

  async #finishPush(story: BlobStory, session: string, offset: number): Promise<void> {
    const { repository, bytes, told } = story
    const least = mostOf(told.filter(({ place }) => place <= this.#crash.place))
    if (offset < least)
      throw new Error(`${repository}: ${offset} bytes are here, ${least} were told`)
    const rest = bytes.subarray(offset)
    await expectStatus(await this.#client.finish(session, digestOf(bytes), rest), 201)
    expect(await this.#isBlob(repository, bytes)).toBe(true)
  }

  async #isBlob(repository: string, bytes: BlobStory['bytes']): Promise<boolean> {
    const answer = await this.#client.blob('GET', repository, digestOf(bytes))
    return (await bytesOf(answer)).equals(bytes)
  }
}

function mostOf(told: readonly Told[]): number {
  return Math.max(0, ...told.map(({ offset }) => offset))
}

function expectOneOf(possible: ReadonlySet<string>, found: string, what: string): void {
  if (possible.has(found)) return
  throw new Error(`${what} is found ${found}, and can only be ${[...possible].join(' or ')}`)
}

function expectSoundCatalog(path: string): void {
  const database = new Sqlite(path, { readonly: true })
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
    expect(database.pragma('foreign_key_check')).toEqual([])
  } finally {
    database.close()
  }
}

/** Every file is known to the catalog, has the bytes of its digest, and is needed. */
async function expectNothingLeft(folder: string): Promise<void> {
  await using store = await FilesystemStore.beside(folder)
  const found = await contentsOf(store)
  const known = knownTo(join(folder, 'catalog.sqlite'))
  // What was announced by whoever was pushing it may never have come; that is forgotten after ten minutes.
  const { staged } = found
  const digests: readonly string[] = found.digests
  const blobs = known.blobs.filter(
    (digest) => digests.includes(digest) || !known.announced.includes(digest),
  )
  expect({ ...found, staged: staged.filter((id) => !known.sessions.includes(id)) }).toEqual({
    digests: blobs,
    records: known.records,
    staged: [],
    strays: [],
  })
  expect(known.unkept).toEqual([])
  await expectSound(store)
}

function knownTo(path: string) {
  const database = new Sqlite(path, { readonly: true })
  const column = (query: string) => database.prepare(query).pluck().all().map(String)
  try {
    return {
      blobs: column('select digest from blobs order by 1'),
      unkept: column(
        `select digest from blobs where digest not in (select digest from blob_references)
          and digest not in (select digest from leases) and digest not in (select digest from manifests)`,
      ),
      announced: column('select digest from leases where repository is null'),
      sessions: column('select id from push_sessions'),
      records: [
        ...column("select repository || '/_tags/' || name from tags"),
        ...column(
          "select repository || '/_manifests/' || digest from manifests where repository not like 'cvi/%'",
        ),
      ].toSorted(),
    }
  } finally {
    database.close()
  }
}
