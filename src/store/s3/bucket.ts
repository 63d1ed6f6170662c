import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Outage } from '../../errors.ts'
import type { ByteRange } from '../store.ts'
import { putNewObject, putObject } from './put.ts'
import {
  failureOf,
  isMissing,
  isPerhapsMissing,
  isUnknownThere,
  statusOf,
  type Addressed,
} from './failures.ts'
import {
  crc32Of,
  md5Of,
  type Forgotten,
  type Found,
  type Got,
  type OpenUpload,
  type Part,
} from './objects.ts'

/** A small object is read within so many milliseconds. */
const smallWithin = 60_000

/**
 * What is asked of one bucket, below one prefix that the keys here do not have. Each request is tried again when the server
 * or the network fails; all of them can be, and every S3 server has them.
 * @throws Outage STORAGE_UNAVAILABLE, STORAGE_FULL
 */
export class Bucket implements Disposable {
  readonly #client: S3Client
  readonly #at: Addressed
  readonly #prefix: string
  /** Whether the server keeps CRC-32; older ones know an MD5 alone. */
  #keepsCrc32 = true

  /** @param prefix begins every key, as it is */
  constructor(client: S3Client, at: Addressed, prefix: string) {
    this.#client = client
    this.#at = at
    this.#prefix = prefix
  }

  /** Null when it is not there. An answer to HEAD does not say what is missing, the bucket or all of the server; one to GET does. */
  async head(key: string, signal?: AbortSignal): Promise<Pick<Found, 'key' | 'size'> | null> {
    const command = new HeadObjectCommand(this.#object(key))
    const sent = this.#client.send(command, bound(signal))
    const found = await this.#orNull(sent, signal, isPerhapsMissing)
    if (found) return { key, size: found.ContentLength ?? 0 }
    const got = await this.get(key, { start: 0, end: 0 }, signal)
    got?.body.destroy()
    return got && { key, size: got.total }
  }

  /** The bytes as they come; `total` is the size of the whole object. Null when it is not there or ends before the range. */
  async get(key: string, range: ByteRange | null, signal?: AbortSignal): Promise<Got | null> {
    const wanted = range && { Range: `bytes=${range.start}-${range.end}` }
    const command = new GetObjectCommand({ ...this.#object(key), ...wanted })
    const got = await this.#orNull(this.#client.send(command, bound(signal)), signal)
    if (!got) return null
    const { Body: body, ContentLength, ContentRange } = got
    if (!(body instanceof Readable))
      throw new Outage('STORAGE_UNAVAILABLE', 'an answer without a body')
    const total = range ? Number(ContentRange?.split('/')[1]) : (ContentLength ?? 0)
    if (Number.isSafeInteger(total)) return { body, total }
    body.destroy()
    throw new Outage('STORAGE_UNAVAILABLE', `${this.#at.endpoint} does not know ranges of bytes`)
  }

  /** All bytes of a small object. */
  async read(key: string): Promise<Buffer | null> {
    const signal = AbortSignal.timeout(smallWithin)
    for (let left = 4; ; left -= 1) {
      const got = await this.get(key, null, signal)
      if (!got) return null
      try {
        return Buffer.concat(await Array.fromAsync<Buffer>(got.body))
      } catch (error) {
        if (left === 0) throw this.#failure(error, signal)
      }
    }
  }

  async put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#done(putObject(this.#client, this.#whole(key, bytes), signal), signal)
  }

  /** As `putNewObject`. */
  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    return await this.#done(putNewObject(this.#client, this.#whole(key, bytes)))
  }

  async remove(key: string): Promise<void> {
    await this.#orNull(this.#client.send(new DeleteObjectCommand(this.#object(key))))
  }

  /** Keys below `prefix` in their order. */
  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<Found> {
    for (let after: string | undefined; ;) {
      const command = new ListObjectsV2Command({
        Bucket: this.#at.bucket,
        Prefix: this.#prefix + prefix,
        ...(after !== undefined && { ContinuationToken: after }),
      })
      const page = await this.#done(this.#client.send(command, bound(signal)), signal)
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
        yield {
          key: Key.slice(this.#prefix.length),
          size: Size,
          since: LastModified?.getTime() ?? 0,
        }
      }
      after = page.NextContinuationToken
      if (!page.IsTruncated || after === undefined) return
    }
  }

  /** One key at most: whether the bucket is there and may be read. */
  async probe(signal: AbortSignal): Promise<void> {
    const command = new ListObjectsV2Command({
      Bucket: this.#at.bucket,
      Prefix: this.#prefix,
      MaxKeys: 1,
    })
    await this.#done(this.#client.send(command, bound(signal)), signal)
  }

  async begin(key: string, signal?: AbortSignal): Promise<OpenUpload> {
    const kept = this.#keepsCrc32
    try {
      const command = new CreateMultipartUploadCommand({
        ...this.#object(key),
        ...(kept && { ChecksumAlgorithm: 'CRC32' }),
      })
      const { UploadId: id } = await this.#client.send(command, bound(signal))
      if (id !== undefined) return { key, id }
      throw new Outage('STORAGE_UNAVAILABLE', `${this.#at.endpoint} began an upload without an id`)
    } catch (error) {
      if (!kept || !isUnknownThere(error)) throw this.#failure(error, signal)
      this.#keepsCrc32 = false
      return await this.begin(key, signal)
    }
  }

  async sendPart(
    upload: OpenUpload,
    number: number,
    bytes: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Part> {
    const command = new UploadPartCommand({
      ...this.#upload(upload),
      PartNumber: number,
      Body: bytes,
      ContentLength: bytes.length,
      ...this.#sums(bytes),
    })
    const sent = await this.#done(this.#client.send(command, bound(signal)), signal)
    const { ETag: etag = '', ChecksumCRC32 = null } = sent
    return { number, size: bytes.length, etag, crc32: ChecksumCRC32 }
  }

  /** Null when there is no such upload: it was completed or given up. */
  async parts(upload: OpenUpload): Promise<readonly Part[] | null> {
    const parts: Part[] = []
    for (let after: string | undefined; ;) {
      const command = new ListPartsCommand({
        ...this.#upload(upload),
        ...(after !== undefined && { PartNumberMarker: after }),
      })
      const page = await this.#orNull(this.#client.send(command))
      if (!page) return null
      for (const { PartNumber = 0, Size = 0, ETag = '', ChecksumCRC32 } of page.Parts ?? []) {
        parts.push({ number: PartNumber, size: Size, etag: ETag, crc32: ChecksumCRC32 ?? null })
      }
      after = page.NextPartNumberMarker
      if (!page.IsTruncated || after === undefined) return parts
    }
  }

  /** An answer may be lost after the work was done: the object that is there then, as long as it should be, is the proof. */
  async complete(upload: OpenUpload, parts: readonly Part[], signal?: AbortSignal): Promise<void> {
    const command = new CompleteMultipartUploadCommand({
      ...this.#upload(upload),
      MultipartUpload: {
        Parts: parts.map(({ number, etag, crc32 }) => ({
          PartNumber: number,
          ETag: etag,
          ...(crc32 !== null && { ChecksumCRC32: crc32 }),
        })),
      },
    })
    try {
      await this.#client.send(command, bound(signal))
    } catch (error) {
      const size = parts.reduce((sum, part) => sum + part.size, 0)
      const found = isMissing(error) ? await this.head(upload.key, signal) : null
      if (found?.size !== size) throw this.#failure(error, signal)
    }
  }

  async abort(upload: OpenUpload): Promise<void> {
    const command = new AbortMultipartUploadCommand(this.#upload(upload))
    await this.#orNull(this.#client.send(command))
  }

  /** Uploads below our prefix that nobody has ended. */
  async *uploads(prefix: string): AsyncIterable<Forgotten> {
    for (let after: { KeyMarker?: string; UploadIdMarker?: string } = {}; ;) {
      const command = new ListMultipartUploadsCommand({
        Bucket: this.#at.bucket,
        Prefix: this.#prefix + prefix,
        ...after,
      })
      const page = await this.#done(this.#client.send(command))
      for (const { Key = '', UploadId: id = '', Initiated } of page.Uploads ?? []) {
        yield { key: Key.slice(this.#prefix.length), id, since: Initiated?.getTime() ?? 0 }
      }
      const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page
      if (!page.IsTruncated || KeyMarker === undefined) return
      after = { KeyMarker, ...(UploadIdMarker !== undefined && { UploadIdMarker }) }
    }
  }

  /** Lets go of the connections. */
  [Symbol.dispose](): void {
    this.#client.destroy()
  }

  #object(key: string) {
    return { Bucket: this.#at.bucket, Key: this.#prefix + key }
  }

  #whole(key: string, bytes: Uint8Array) {
    const body = { Body: bytes, ContentLength: bytes.length }
    return { ...this.#object(key), ...body, ...this.#sums(bytes) }
  }

  #upload({ key, id }: OpenUpload) {
    return { ...this.#object(key), UploadId: id }
  }

  #sums(bytes: Uint8Array) {
    return this.#keepsCrc32 ? { ChecksumCRC32: crc32Of(bytes) } : { ContentMD5: md5Of(bytes) }
  }

  async #done<Answer>(work: Promise<Answer>, signal?: AbortSignal): Promise<Answer> {
    try {
      return await work
    } catch (error) {
      throw this.#failure(error, signal)
    }
  }

  /** Null for what is not there, or ends before what was asked for. */
  async #orNull<Answer>(
    work: Promise<Answer>,
    signal?: AbortSignal,
    isNothing = isMissing,
  ): Promise<Answer | null> {
    try {
      return await work
    } catch (error) {
      if (isNothing(error) || statusOf(error) === 416) return null
      throw this.#failure(error, signal)
    }
  }

  #failure(error: unknown, signal?: AbortSignal): unknown {
    return signal?.aborted ? signal.reason : failureOf(error, this.#at)
  }
}

function bound(signal: AbortSignal | undefined) {
  return signal ? { abortSignal: signal } : {}
}
