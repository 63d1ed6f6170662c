import { createHash } from 'node:crypto'
import type { Random } from '../../support/random.ts'
import type { Line } from './line.ts'

/** Something that may be asked for. From the moment on when its deletion was asked for, it may be there or not. */
export type Known = { readonly name: string; going: boolean }

/** What the service has said that it holds. */
export type Held = {
  readonly of: Known
  readonly repository: string
  /** Where its bytes are. */
  readonly path: string
  /** Hex. */
  readonly sha256: string
  readonly size: number
  /** What is deleted, so that it goes. */
  readonly root: string
}

/** Things in no order. */
export class Shelf<Thing> {
  readonly #things: Thing[] = []

  get all(): readonly Thing[] {
    return this.#things
  }

  put(thing: Thing): Thing {
    this.#things.push(thing)
    return thing
  }

  pick(random: Random): Thing | undefined {
    return this.#things[random.below(this.#things.length)]
  }

  drop(thing: Thing): void {
    const at = this.#things.indexOf(thing)
    const last = this.#things.pop()
    if (last !== undefined && at < this.#things.length) this.#things[at] = last
  }
}

/**
 * Pulls something in so many parts and holds the bytes against their digest.
 * @returns whether it came; false for what is being deleted
 * @throws Error when other bytes come, or nothing comes of what nobody asked to delete
 */
export async function pull(line: Line, held: Held, parts: number): Promise<boolean> {
  const hash = createHash('sha256')
  const step = Math.ceil(held.size / parts)
  const whole = parts === 1 ? 200 : 206
  for (let from = 0; from < held.size; from += step) {
    const last = Math.min(from + step, held.size) - 1
    const headers = parts === 1 ? {} : { range: `bytes=${from}-${last}` }
    const status = await line.stream(held.path, whole, headers, (chunk) => void hash.update(chunk))
    if (status === whole) continue
    if ((status === 404 || status === 409) && held.of.going) return false
    throw new Error(`${held.path} was promised, and answers ${status}`)
  }
  const found = hash.digest('hex')
  if (found !== held.sha256) throw new Error(`${held.path} gave sha256:${found}`)
  return true
}
