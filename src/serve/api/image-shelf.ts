import type { Catalog } from '../../catalog/catalog.ts'
import type { Phase } from '../../image/phase.ts'
import type { ImageBody } from '../../image/status.ts'
import { unknownImage } from '../../work/intake.ts'
import { tagOf, type ImageTag } from './etag.ts'
import type { Presenter } from './present.ts'
import { withoutUpload } from './visible.ts'

/** An image as one kind of caller is shown it. */
export type Written = { readonly tag: ImageTag; readonly json: string }

/** Characters of all images that are kept at hand, and of the largest of them. */
const mostKept = 16 * 1024 * 1024
const largest = 64 * 1024

/**
 * Images as they are asked for by name. Many ask for the same few again and again: those are answered from memory, and
 * forgotten when the catalog changes.
 */
export class ImageShelf {
  readonly #catalog: Catalog
  readonly #presenter: Presenter
  readonly #kept = new Map<string, Copy>()
  #size = 0
  /** Counts changes: what was read before one must not be kept after it. */
  #changes = 0

  constructor(catalog: Catalog, presenter: Presenter) {
    this.#catalog = catalog
    this.#presenter = presenter
    catalog.watchEvents((happenings) => this.#forget(happenings))
  }

  /**
   * @param mayWrite whether uploads are shown
   * @throws Refusal IMAGE_NOT_FOUND
   */
  async find(name: string, mayWrite: boolean): Promise<Written> {
    const copy = this.#kept.get(name) ?? (await this.#look(name))
    return copy.for(mayWrite)
  }

  async #look(name: string): Promise<Copy> {
    const changes = this.#changes
    const image = await this.#catalog.read.images.byName(name)
    if (!image) throw unknownImage(name)
    const copy = new Copy(await this.#presenter.show(image))
    if (stands(image.phase) && changes === this.#changes) this.#keep(name, copy)
    return copy
  }

  #keep(name: string, copy: Copy): void {
    if (copy.size > largest || this.#kept.has(name)) return
    if (this.#size + copy.size > mostKept) this.#forgetAll()
    this.#kept.set(name, copy)
    this.#size += copy.size
  }

  #forget(happenings: readonly { readonly name: string }[]): void {
    this.#changes += 1
    for (const { name } of happenings) {
      this.#size -= this.#kept.get(name)?.size ?? 0
      this.#kept.delete(name)
    }
  }

  #forgetAll(): void {
    this.#kept.clear()
    this.#size = 0
  }
}

/** While bytes are coming, what is shown changes without an event. */
function stands(phase: Phase): boolean {
  return phase !== 'Provisioning'
}

/** Written out once for those who may write, and once for those who may only look. */
class Copy {
  readonly #full: Written
  readonly #body: ImageBody
  #reduced: Written | null = null

  constructor(body: ImageBody) {
    this.#body = body
    this.#full = write(body)
  }

  /** What it takes to keep both. */
  get size(): number {
    return 2 * this.#full.json.length
  }

  for(mayWrite: boolean): Written {
    if (mayWrite) return this.#full
    return (this.#reduced ??= write(withoutUpload(this.#body)))
  }
}

function write(body: ImageBody): Written {
  return { tag: tagOf(body), json: JSON.stringify(body) }
}
