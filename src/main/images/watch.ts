import { changesOf, type Change, type ChangesOptions } from '../../client/changes.ts'
import { Failure, Refusal } from '../../errors.ts'
import { phases, type Phase } from '../../image/phase.ts'
import {
  complain,
  formOf,
  forms,
  interrupted,
  interruption,
  wordOf,
  type Command,
  type Form,
} from '../command.ts'
import { troubleOf } from './advice.ts'
import { openClient } from './client.ts'
import { viewIn } from './watch-views.ts'

export const command: Command = {
  help: `slipway images watch [NAME] [--until PHASE] [--output table|json|yaml|name]

Shows images, or one of them, as they change, until Ctrl-C: a table that is drawn anew on a terminal, and elsewhere what
happens, a line each: {"event": "image", "image": {...}}, {"event": "deleted", "name": ..., "uid": ...}, and
{"event": "reset"} where all that there is is told from the beginning. It outlives restarts of the service of up to five
minutes without a gap.

With --until it ends when the image has that phase: exit code 0, or 1 when it failed instead. Exit code 1 when NAME does not
exist or was deleted, 3 when the service is lost, 130 after Ctrl-C.
`,
  options: { until: { type: 'string' } },
  choices: { until: phases, output: forms },
  async run(operands, values) {
    const [name = null, ...others] = operands
    const until = wordOf(values, 'until', phases) ?? null
    if (others.length > 0) throw misuse('give one name, or none for all images')
    if (until !== null && name === null) throw misuse('--until goes with the name of one image')
    const form = formOf(values)
    const { rest } = await openClient()
    const { code, why } = await watch({ rest, name }, until, form)
    if (why !== '') complain(why)
    return code
  },
}

/** @returns the exit code, and what is still to be said */
async function watch(what: ChangesOptions, until: Phase | null, form: Form): Promise<End> {
  const { name } = what
  using view = viewIn(form)
  const ending = new Ending(name, until)
  try {
    for await (const change of changesOf(what, interruption())) {
      await view.take(change)
      const end = ending.of(change)
      if (end) return end
    }
  } catch (error) {
    if (isGone(error)) return { code: 1, why: `there is no image "${name}"` }
    throw error
  }
  return { code: interrupted, why: '' }
}

function isGone(error: unknown): boolean {
  return error instanceof Failure && error.code === 'IMAGE_NOT_FOUND'
}

type End = { readonly code: number; readonly why: string }

/** When there is nothing more to wait for. */
class Ending {
  readonly #name: string | null
  readonly #until: Phase | null
  #uid: string | null = null
  #isThere = false

  constructor(name: string | null, until: Phase | null) {
    this.#name = name
    this.#until = until
  }

  /** Null while it goes on. */
  of(change: Change): End | null {
    if (this.#name === null) return null
    if (change.kind === 'reset') this.#isThere = false
    if (change.kind === 'image') return this.#see(change)
    const isGone = change.kind === 'deleted' && change.uid === this.#uid
    return isGone || (change.kind === 'settled' && !this.#isThere) ? this.#gone() : null
  }

  #see({ image }: Extract<Change, { kind: 'image' }>): End | null {
    if (this.#uid !== null && this.#uid !== image.uid) return this.#gone()
    this.#uid = image.uid
    this.#isThere = true
    const { phase } = image.status
    if (phase === this.#until) return { code: 0, why: '' }
    if (this.#until === null || (phase !== 'Failed' && phase !== 'ImageLost')) return null
    return { code: 1, why: `${image.name} is ${phase}: ${troubleOf(image)}` }
  }

  #gone(): End {
    return { code: 1, why: `${this.#name} was deleted` }
  }
}

function misuse(message: string): Refusal {
  return new Refusal('UNSUPPORTED', `${message}; try slipway images watch --help`)
}
