import type { Image } from '../../client/images.ts'
import { Failure } from '../../errors.ts'
import { interrupted, written, type Form } from '../command.ts'
import { plain } from '../plain.ts'
import { adviceOf } from './advice.ts'
import { listingIn } from './listing.ts'
import { showImage } from './shown.ts'
import { refused, type Done } from './waiting.ts'

/**
 * Does something to each of several images; one that is refused does not keep it from the others.
 * @returns the exit code: the worst of them
 * @throws Outage SERVICE_UNREACHABLE: the others would not be heard either
 */
export async function eachOf<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  work: (item: Item) => Promise<Done>,
): Promise<number> {
  let code = 0
  for (const item of items) {
    const done = await attempted(nameOf(item), work(item))
    code = Math.max(code, done.code)
    if (done.code === interrupted) break
  }
  return code
}

async function attempted(name: string, work: Promise<Done>): Promise<Done> {
  try {
    return await work
  } catch (error) {
    const isOver = !(error instanceof Failure) || error.row.kind === 'bug'
    if (isOver || error.code === 'SERVICE_UNREACHABLE') throw error
    return refused(name, error)
  }
}

/** Images that something was done to: sentences for people at once, one document for programs. */
export class Told {
  readonly #form: Form
  readonly #images: Image[] = []

  constructor(form: Form) {
    this.#form = form
  }

  async add(image: Image): Promise<void> {
    if (this.#form !== 'table') return void this.#images.push(image)
    const { name, status } = image
    const isOver = ['Ready', 'Failed', 'ImageLost'].includes(status.phase)
    const next = adviceOf(image) ?? (isOver ? null : `follow it: slipway images watch ${name}`)
    await written(`${name} is ${status.phase}\n${next === null ? '' : `${plain(next)}\n`}`)
  }

  /** @param asked how many were asked for: one is shown as it is, several as a list */
  async end(asked: number): Promise<void> {
    const [image] = this.#images
    if (!image) return
    if (asked === 1) return await showImage(image, this.#form)
    const listing = listingIn(this.#form)
    await listing.add(this.#images)
    await listing.end()
  }
}
