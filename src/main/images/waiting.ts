import { changesOf, type Change } from '../../client/changes.ts'
import type { Image } from '../../client/images.ts'
import { Failure } from '../../errors.ts'
import { plain } from '../plain.ts'
import { ProgressBar } from '../progress-bar.ts'
import { complain, interrupted } from '../command.ts'
import { adviceOf, troubleOf } from './advice.ts'
import type { Client } from './client.ts'
import { movementOf, shareOf } from './row.ts'

/** What became of an image, as far as it is known; null when it is gone. And what to exit with. */
export type Done = { readonly image: Image | null; readonly code: number }

const never = new AbortController().signal

/**
 * Begins something with an image, and waits for it where that was asked for.
 * @param stop null where nobody waits
 */
export async function carryOut(
  client: Client,
  begin: (signal: AbortSignal) => Promise<Image>,
  stop: AbortSignal | null,
): Promise<Done> {
  try {
    const image = await begin(stop ?? never)
    return stop ? await waitFor(client, image, stop) : { image, code: 0 }
  } catch (error) {
    if (!stop?.aborted) throw error
    complain('stopped; look at what has begun with: slipway images ls')
    return { image: null, code: interrupted }
  }
}

/** Follows an image, with its progress on standard error, until it is Ready, or will not be. */
async function waitFor({ rest }: Client, image: Image, stop: AbortSignal): Promise<Done> {
  using bar = new ProgressBar()
  const waiting = new Waiting(image, bar)
  try {
    for await (const change of changesOf({ rest, name: image.name }, stop)) {
      const done = waiting.take(change)
      if (done) return done
    }
  } catch (error) {
    if (error instanceof Failure && error.code === 'IMAGE_NOT_FOUND') return waiting.gone()
    throw error
  }
  return waiting.left()
}

class Waiting {
  readonly #bar: ProgressBar
  #image: Image
  /** Whether it was told since the state as a whole began to be told. */
  #isThere = true
  #isLost = false
  #phase: string

  constructor(image: Image, bar: ProgressBar) {
    this.#image = image
    this.#bar = bar
    this.#phase = ''
  }

  /** Null while there is more to wait for. */
  take(change: Change): Done | null {
    if (change.kind === 'lost') return this.#lose(change.why)
    this.#isLost = false
    if (change.kind === 'reset') this.#isThere = false
    if (change.kind === 'image') return this.#see(change.image)
    const isGone = change.kind === 'deleted' && change.uid === this.#image.uid
    return isGone || (change.kind === 'settled' && !this.#isThere) ? this.gone() : null
  }

  gone(): Done {
    this.#bar.say(`${this.#image.name} was deleted`)
    return { image: null, code: 1 }
  }

  /** Whoever waited does not want to any more. */
  left(): Done {
    const { name } = this.#image
    this.#bar.say(`${name} goes on in the service; look at it with: slipway images get ${name}`)
    return { image: this.#image, code: interrupted }
  }

  #see(image: Image): Done | null {
    if (image.uid !== this.#image.uid) return this.gone()
    this.#isThere = true
    this.#image = image
    const { phase } = image.status
    if (phase === 'Ready') return { image, code: 0 }
    if (phase === 'Failed' || phase === 'ImageLost') return this.#failed(image)
    this.#show(image)
    return null
  }

  #failed(image: Image): Done {
    this.#bar.say(plain(`${image.name} is ${image.status.phase}: ${troubleOf(image)}`))
    return { image, code: 1 }
  }

  /** What waits for somebody is said once; what moves is shown. */
  #show(image: Image): void {
    const { name, status } = image
    const isNew = this.#phase !== status.phase
    this.#phase = status.phase
    const advice = adviceOf(image)
    if (isNew && advice !== null) this.#bar.say(plain(`${name}: ${advice}`))
    const movement = movementOf(status) || troubleOf(image)
    this.#bar.show(shareOf(status), plain(`${name} ${status.phase} ${movement}`).trimEnd())
  }

  #lose({ message }: Failure): null {
    if (!this.#isLost) this.#bar.say(plain(`${message}; trying again`))
    this.#isLost = true
    return null
  }
}

/** An outcome that is told on standard error alone. */
export function refused(name: string, error: Failure): Done {
  complain(`${name}: ${error.message}`)
  return { image: null, code: 2 }
}
