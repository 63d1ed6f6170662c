import { Transform } from 'node:stream'
import { Bug } from '../../errors.ts'
import type { BlobPart } from '../registry/registry.ts'
import type { DiskFolder } from './disk-folder.ts'
import { ofLayer } from './flaws.ts'
import type { Member } from './member.ts'
import { SecondReader } from './second-reader.ts'
import { TarWalk } from './tar-walk.ts'
import { keep, mostListeners } from './verified.ts'

type Done = (error?: Error | null) => void

/** `at` is where its bytes begin in the tar. */
type Disk = Member & { readonly at: number }

/**
 * Takes a layer's tar, gives the disk in it, and nothing where there is none. It ends when the tar was read to its end and
 * found sound. Its failures name the layer, also those that come from the streams before it.
 */
export class LayerTar extends Transform {
  readonly #part: BlobPart
  readonly #folder: DiskFolder
  readonly #walk = new TarWalk((member, at) => this.#member(member, at))
  readonly #reader = new SecondReader({
    onDisk: (bytes) => this.#give(bytes),
    onFailure: (error) => this.destroy(error),
  })
  readonly #found = Promise.withResolvers<Disk | null>()
  /** Bytes of the disk that were not given yet. */
  #missing = 0

  constructor(part: BlobPart, folder: DiskFolder) {
    super()
    this.#part = part
    this.#folder = folder
    this.setMaxListeners(mostListeners)
    this.#found.promise.catch(keep)
    this.on('error', keep)
  }

  /** The disk, as soon as its header was read, or null when the layer has ended without one. */
  get disk(): Promise<Disk | null> {
    return this.#found.promise
  }

  override destroy(error?: Error): this {
    const named = error && ofLayer(error, this.#part)
    return super.destroy(named)
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#attempt(() => {
      const count = this.#walk.advance(chunk)
      if (count === 0) done()
      else this.#reader.write(chunk.subarray(0, count), done)
    })
  }

  override _flush(done: Done): void {
    this.#attempt(() => {
      this.#reader.end(this.#walk.end(), () => this.#attempt(() => this.#finish(done)))
    })
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#reader.destroy()
    this.#found.reject(error ?? new Bug('a layer was left before its disk was found'))
    done(error)
  }

  #attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Bug('a layer could not be read', error))
    }
  }

  #member(member: Member, at: number): void {
    const isDisk = this.#folder.see(member)
    this.#reader.expect(member, isDisk)
    if (!isDisk) return
    this.#missing = member.size
    this.#found.resolve({ ...member, at })
  }

  #give(bytes: Buffer): void {
    this.#missing -= bytes.length
    this.push(bytes)
  }

  #finish(done: Done): void {
    if (this.#missing !== 0) throw new Bug(`${this.#missing} bytes of a disk were not given`)
    this.#folder.endLayer()
    this.#found.resolve(null)
    done()
  }
}
