import { Bug } from '../../errors.ts'
import type { Records } from '../store.ts'
import type { Bucket } from './bucket.ts'

export const recordsPrefix = 'repositories/'

/** One small object a record. */
export class S3Records implements Records {
  readonly #bucket: Bucket

  constructor(bucket: Bucket) {
    this.#bucket = bucket
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#bucket.put(at(key), bytes)
  }

  async putNew(key: string, bytes: Uint8Array): Promise<boolean> {
    return await this.#bucket.putNew(at(key), bytes)
  }

  async read(key: string): Promise<Uint8Array | null> {
    return await this.#bucket.read(at(key))
  }

  async remove(key: string): Promise<void> {
    await this.#bucket.remove(at(key))
  }

  async *list(prefix: string): AsyncIterable<string> {
    const below = prefix === '' ? recordsPrefix : `${at(prefix)}/`
    for await (const { key } of this.#bucket.list(below)) yield key.slice(recordsPrefix.length)
  }
}

/** Keys are made of checked repository names, tags and digests; a dot segment can only be our mistake. */
function at(key: string): string {
  if (key.split('/').some((part) => part === '.' || part === '..')) {
    throw new Bug(`"${key}" is no record key`)
  }
  return recordsPrefix + key
}
