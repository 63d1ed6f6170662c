import { frame } from './sse.ts'
import type { ImageBody } from '../../image/status.ts'
import { withoutUpload } from './visible.ts'

/** An image as it is told to many: written out once for those who may write, and once for those who may only look. */
export class Telling {
  readonly name: string
  readonly #body: ImageBody
  readonly #id: string | null
  #full: Buffer | null = null
  #reduced: Buffer | null = null

  constructor(body: ImageBody, id: string | null) {
    this.name = body.name
    this.#body = body
    this.#id = id
  }

  frame(mayWrite: boolean): Buffer {
    if (mayWrite) return (this.#full ??= frame('image', this.data(true), this.#id))
    return (this.#reduced ??= frame('image', this.data(false), this.#id))
  }

  data(mayWrite: boolean): string {
    return JSON.stringify(mayWrite ? this.#body : withoutUpload(this.#body))
  }

  equals(other: Telling): boolean {
    return this.frame(true).equals(other.frame(true))
  }
}
