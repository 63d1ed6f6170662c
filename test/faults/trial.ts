import { appendFileSync } from 'node:fs'
import { test } from 'vitest'
import { Random, seedOf } from '../support/random.ts'
import { lengthOf, settings } from './settings.ts'
import { trials, type TrialName, type TrialRow } from './trials.ts'

/** To set up before the first round, and to look at everything after the last, in milliseconds. */
const beside = 600_000

/** What a trial has come to: one line of the campaign's report. */
export type Outcome = {
  readonly name: string
  readonly tried: number
  readonly notes: { readonly [what: string]: number }
  readonly seconds: number
  /** Null when nothing was; else the first error, and the round that came to it. */
  readonly lost: string | null
}

/** One go at a fault. The same seed and index come to the same go. */
export type Round = { readonly index: number; readonly random: Random }

/** A fault that is tried again and again: so many rounds, or as many as there is time for in a campaign. */
export class Trial {
  readonly name: TrialName
  readonly notes: { [what: string]: number } = {}
  tried = 0
  #round = settings.from

  constructor(name: TrialName) {
    this.name = name
  }

  /** The first is always played, and one after the other. What happened is counted by `tried`. */
  *rounds(): Generator<Round> {
    const { rounds }: TrialRow = trials[this.name]
    const until = performance.now() + (lengthOf(this.name) ?? Infinity)
    const last = lengthOf(this.name) === null ? settings.from + rounds : Infinity
    do {
      yield { index: this.#round, random: this.randomOf(`${this.#round}`) }
      this.#round += 1
    } while (this.#round < last && performance.now() < until)
  }

  /** Whether it is only to be a few rounds: what takes minutes is left to a campaign. */
  get isShort(): boolean {
    return settings.minutes === null
  }

  /** Numbers for what is done under this name. */
  randomOf(what: string): Random {
    return new Random(seedOf(what, seedOf(this.name, settings.seed)))
  }

  /** Something else that the report should tell. */
  note(what: string, count = 1): void {
    this.notes[what] = (this.notes[what] ?? 0) + count
  }

  /** How this round is played again. */
  get again(): string {
    return `npm run campaign 1 ${settings.seed} ${this.name}@${this.#round}`
  }
}

/** The test of one fault. @throws whatever `work` throws, with the command that comes to the same round */
export function tryOut(name: TrialName, work: (trial: Trial) => Promise<void>): void {
  const { fault } = trials[name]
  const timeout = (lengthOf(name) ?? 0) + beside
  test.skipIf(!settings.isWanted(name))(
    `${fault} (seed ${settings.seed})`,
    { timeout },
    async () => {
      const trial = new Trial(name)
      const began = performance.now()
      let lost: string | null = null
      try {
        await work(trial)
      } catch (error) {
        lost = `${error instanceof Error ? error.message : String(error)}; again: ${trial.again}`
        throw new Error(lost, { cause: error })
      } finally {
        const seconds = Math.round((performance.now() - began) / 1000)
        tell({ name, tried: trial.tried, notes: trial.notes, seconds, lost })
      }
    },
  )
}

function tell(outcome: Outcome): void {
  console.log(outcome.name, outcome.tried, outcome.notes)
  if (settings.report) appendFileSync(settings.report, `${JSON.stringify(outcome)}\n`)
}
