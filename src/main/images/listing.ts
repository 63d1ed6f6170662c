import type { Image } from '../../client/images.ts'
import { Columns, screenWidth } from '../columns.ts'
import { complain, written, type Form } from '../command.ts'
import { plain } from '../plain.ts'
import { heads, rowOf } from './row.ts'
import { jsonOf } from './shown.ts'

/** Images that are printed as they come. */
export type Listing = {
  readonly add: (images: readonly Image[]) => Promise<void>
  readonly end: () => Promise<void>
}

export function listingIn(form: Form): Listing {
  if (form === 'table') return new Table()
  if (form === 'json') return new Json()
  return form === 'yaml' ? new Yaml() : names
}

const names: Listing = {
  add: async (images) => await written(images.map(({ name }) => `${plain(name)}\n`).join('')),
  end: () => Promise.resolve(),
}

class Table implements Listing {
  readonly #columns = new Columns(heads, screenWidth())
  #isEmpty = true

  async add(images: readonly Image[]): Promise<void> {
    if (images.length === 0) return
    const rows = images.map((image) => rowOf(image, Date.now()))
    const lines = this.#columns.lines(rows)
    await written(this.#isEmpty ? this.#columns.head() + lines : lines)
    this.#isEmpty = false
  }

  end(): Promise<void> {
    if (this.#isEmpty) complain('there are no images')
    return Promise.resolve()
  }
}

class Json implements Listing {
  #before = '{"items":['

  async add(images: readonly Image[]): Promise<void> {
    if (images.length === 0) return
    await written(this.#before + images.map(jsonOf).join(','))
    this.#before = ','
  }

  async end(): Promise<void> {
    await written(`${this.#before === ',' ? '' : this.#before}]}\n`)
  }
}

class Yaml implements Listing {
  #isEmpty = true

  async add(images: readonly Image[]): Promise<void> {
    if (images.length === 0) return
    const { dump } = await import('js-yaml')
    const items = dump(images, { lineWidth: -1, noRefs: true })
    await written(this.#isEmpty ? `items:\n${items}` : items)
    this.#isEmpty = false
  }

  async end(): Promise<void> {
    if (this.#isEmpty) await written('items: []\n')
  }
}
