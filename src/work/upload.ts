import type { Readable } from 'node:stream'
import type { Catalog } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { asFailure, Outage } from '../errors.ts'
import { checksumsOf, type Checksums } from '../image/data-source.ts'
import { peek } from '../unwrap/peek.ts'
import type { Active } from './active.ts'
import { Arrival, stagedOf } from './arrival.ts'
import type { Assemblies } from './assemblies.ts'
import type { Assembly } from './assembly.ts'
import { bindTo, untilIdle } from './body.ts'
import type { Station } from './ingest.ts'
import { checkedPart } from './part.ts'
import type { Admission, Announced, Found, UploadDoor } from './upload-door.ts'
import type { UploadRecords } from './upload-records.ts'
import { endOf, unless } from '../unless.ts'
import { broken, busy, cancelled, empty, explained } from './upload-words.ts'

export type ReceptionOptions = {
  readonly catalog: Catalog
  readonly station: Station
  /** Those that send, one for each image. */
  readonly writers: Active
  readonly assemblies: Assemblies
  readonly records: UploadRecords
  readonly door: UploadDoor
  /** Milliseconds without a byte after which a begun upload is given up. */
  readonly idle: number
  readonly now: () => number
}

/** What a request has come to: the image, Ready; or, when more has to come, how many bytes are here. */
export type Receipt = { readonly image: Image } | { readonly image: null; readonly offset: number }

/** A client that has sent nothing for so long has gone without a word, in milliseconds; whoever comes next goes on. */
const silence = 10_000

/** Takes uploads in: what comes in one request after another becomes one image. */
export class Reception {
  readonly #options: ReceptionOptions
  /** What is being sent, by the image's uid. */
  readonly #bodies = new Map<string, Readable>()

  constructor(options: ReceptionOptions) {
    this.#options = options
  }

  /**
   * Takes a body in. What came before it breaks off is kept, and another one may go on from there; bytes that are refused
   * end the upload.
   * @param who the client's address, told to whoever comes second
   * @throws as `UploadDoor.admit`; Outage UPLOAD_INTERRUPTED; Refusal PART_MISMATCH, UPLOAD_TIMEOUT; Flaw
   */
  async receive(token: string, announced: Announced, body: Readable, who: string) {
    return await this.#alone(token, who, body, async (signal) => {
      const admission = await this.#options.door.admit(token, announced)
      const heard = () => this.#options.writers.heard(admission.image.uid)
      // Only now: to listen is to ask for bytes, and a client that waits for leave would send them.
      body.on('readable', heard)
      try {
        return await this.#take(admission, body, signal)
      } finally {
        body.off('readable', heard)
      }
    })
  }

  /**
   * A file of so many bytes is about to come in several requests: what came before is dropped.
   * @throws as `UploadDoor.admit`
   */
  async announce(token: string, announced: Announced, who: string): Promise<void> {
    const { door, records, station } = this.#options
    await this.#alone(token, who, null, async () => {
      const { image, upload, total } = await door.admit(token, announced)
      if (!total) throw empty()
      await this.#options.assemblies.drop(image)
      await Arrival.discard(image.uid, station.store)
      await records.announce(upload, total)
    })
  }

  /** The client gives the upload up: what it has brought goes, and the image fails. */
  async cancel(token: string): Promise<void> {
    const { door, writers, records } = this.#options
    const { image } = await door.enter(token)
    await writers.stop(image.uid, 'taken over')
    const ran = await writers.run(image.uid, 'whoever gives it up', async () => {
      await this.#options.assemblies.drop(image)
      // What could not be stopped any more may be Ready by now.
      const { upload } = await door.enter(token)
      await records.giveUp(image, upload, cancelled())
    })
    if (!ran) throw busy(writers.holder(image.uid))
  }

  /**
   * Where all bytes are here, waits for the image, so that who asks how the upload stands learns how it ended.
   * @param within milliseconds
   */
  async settled(image: Image, within: number): Promise<void> {
    const assembly = this.#options.assemblies.of(image)
    if (assembly?.isComplete) await endOf(assembly.done, within)
  }

  /**
   * Uploads whose end could not be recorded, because the catalog could not be written then, can be sent again; those of
   * which all bytes are here need nobody to go on.
   */
  async reclaim(): Promise<void> {
    const { catalog, writers } = this.#options
    const failures: unknown[] = []
    for (const state of ['receiving', 'interrupted'] as const) {
      for (const upload of await catalog.read.uploads.inState(state)) {
        const isHere = upload.offset === upload.length
        const image = await catalog.read.images.byUid(upload.imageUid)
        if (!image || (state === 'interrupted' && !isHere)) continue
        const reclaim = (signal: AbortSignal) => this.#reclaim({ image, upload }, signal)
        await writers
          .run(image.uid, 'the service', reclaim)
          .catch((error: unknown) => failures.push(error))
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'uploads were not reclaimed')
  }

  /** What is staged counts more than what was told of it. */
  async #reclaim({ image, upload: before }: Found, signal: AbortSignal): Promise<void> {
    const { catalog, assemblies, records, station } = this.#options
    if (assemblies.of(image)) return
    const upload = await catalog.read.uploads.byTokenHash(before.tokenHash)
    if (upload?.state !== before.state) return
    const offset = await stagedOf(image.uid, station.store, upload.length)
    if (offset === upload.length) {
      await this.#finishAlone({ image, upload: { ...upload, offset } }, signal)
    } else {
      const failure = new Outage('UPLOAD_INTERRUPTED', 'the upload broke off')
      await records.settle(image, upload, failure, offset)
    }
  }

  async #finishAlone({ image, upload }: Found, signal: AbortSignal): Promise<void> {
    const { assemblies, records } = this.#options
    const { checksums: told, length: total, offset: start } = upload
    const checksums = { ...told, ...checksumsOf(image.dataSource) }
    await records.begin(image, upload, { total, checksums: told })
    const assembly = await assemblies.open({ image, upload, start, total, checksums }, signal)
    assembly.complete()
  }

  /** One sends at a time; whoever has fallen silent makes way. */
  async #alone<Result>(
    token: string,
    who: string,
    body: Readable | null,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const { door, writers } = this.#options
    const { image } = await door.enter(token)
    await this.#makeWay(image)
    const ran = await writers.run(image.uid, who, async (signal) => {
      if (body) this.#bodies.set(image.uid, body)
      try {
        return await work(signal)
      } finally {
        this.#bodies.delete(image.uid)
      }
    })
    if (!ran) throw busy(writers.holder(image.uid))
    return ran.result
  }

  /** @throws Refusal UPLOAD_BUSY */
  async #makeWay(image: Image): Promise<void> {
    const { writers, assemblies } = this.#options
    if (assemblies.of(image)?.isComplete) throw busy(null)
    const holder = writers.holder(image.uid)
    if (!holder) return
    const body = this.#bodies.get(image.uid)
    const isBroken = body?.destroyed === true
    // Bytes that are here wait for the disk, not for the client.
    const isWaiting = body && (body.readableEnded || body.readableLength > 0)
    const isSending = isWaiting || writers.silence(image.uid) < silence
    if (isSending && !isBroken) throw busy(holder)
    await writers.stop(image.uid, 'taken over')
  }

  async #take(admission: Admission, body: Readable, signal: AbortSignal): Promise<Receipt> {
    const { image, upload } = admission
    const { assemblies } = this.#options
    using watched = untilIdle(body, this.#options.idle, signal)
    bindTo(watched.signal, body)
    try {
      return await this.#bring(admission, body, watched.signal)
    } catch (error) {
      const assembly = assemblies.of(image)
      const here = assembly?.feed.position ?? upload.offset
      const failure = asFailure(explained(error, watched.signal, here))
      if (assembly) await assemblies.letGo(assembly, failure)
      await assemblies.record(image, async (records) => {
        await records.interrupt(image, upload, failure, here)
      })
      throw failure
    } finally {
      body.destroy()
    }
  }

  async #bring(admission: Admission, body: Readable, signal: AbortSignal): Promise<Receipt> {
    const { image, upload, length, start, total, told, isLast } = admission
    const { records } = this.#options
    const { head, body: begun } = await peek(body)
    if (head.length === 0 && start === null) throw empty()
    // Nothing is no sign of life, unless it says that all is here.
    const isNothing = head.length === 0 && (total === null ? !isLast : start !== total)
    if (isNothing) return { image: null, offset: start ?? 0 }
    await records.begin(image, upload, { total, checksums: told })
    await using part = await this.#checked(admission, begun, signal)
    const assembly = await this.#options.assemblies.goOn(admission, signal)
    const { feed } = assembly
    const most = Math.min(length ?? Infinity, (total ?? Infinity) - feed.position)
    await feed.fill(part?.body ?? begun, most)
    const isAll = total === null ? isLast : feed.position === total
    // Who is told that bytes are here may be unable to send them again.
    if (!isAll && !isLast) await assembly.keep(signal)
    if (feed.destroyed) return { image: await unless(signal, assembly.done) }
    if (isAll) return await this.#finish(assembly, told, signal)
    if (isLast) throw broken(feed.position)
    this.#options.assemblies.rest(assembly)
    return { image: null, offset: feed.position }
  }

  /** What came with checksums of its own; null where it came without. */
  async #checked({ image, ofPart }: Admission, body: Readable, signal: AbortSignal) {
    if (Object.keys(ofPart).length === 0) return null
    const { store, room } = this.#options.station
    return await checkedPart(body, ofPart, { id: `image-${image.uid}-part`, store, room }, signal)
  }

  /** All of it is here: whether the client stays or goes, the image is finished. */
  async #finish(assembly: Assembly, told: Checksums, signal: AbortSignal): Promise<Receipt> {
    const { image, upload } = assembly.beginning
    const { position } = assembly.feed
    if (position === 0) throw empty()
    assembly.complete()
    if (upload.length !== position) {
      await this.#options.records.begin(image, upload, { total: position, checksums: told })
    }
    return { image: await unless(signal, assembly.done) }
  }
}
