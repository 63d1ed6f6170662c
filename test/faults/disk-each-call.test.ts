import { describe, expect } from 'vitest'
import { deeds, type DeedName } from './disk-deeds.ts'
import { DiskStage } from './disk-stage.ts'
import { forGood, type Call, type Damage, type DiskError, type Fault } from './failing-disk.ts'
import { needsCompiler } from './shim.ts'
import { tryOut, type Round, type Trial } from './trial.ts'
import type { Random } from '../support/random.ts'

const paths = [
  '/staging/',
  '/blobs/',
  '/repositories/',
  'catalog.sqlite-wal',
  'catalog.sqlite',
  '/slipway-test-',
] as const
const calls = ['write', 'sync', 'name'] as const
const names = Object.keys(deeds).filter((name): name is DeedName => name in deeds)

type Choice = { readonly name: DeedName; readonly call: Call; readonly path: string }

/** Every deed, with every kind of call, on every part of the data folder. */
const choices: readonly Choice[] = calls.flatMap((call) =>
  paths.flatMap((path) => names.map((name) => ({ name, call, path }))),
)
/** Shares no divisor with their number, so that neighbours in the table are far from each other in time. */
const stride = 37

describe.skipIf(!needsCompiler())('a disk that fails', () => {
  tryOut('disk-each-call', async (trial) => {
    await using stage = await DiskStage.set()
    const play = new Play(stage, trial)
    for (const round of trial.rounds()) await play.round(round)
  })
})

class Play {
  readonly #stage: DiskStage
  readonly #trial: Trial
  /** How many calls a deed makes, once that has been counted. */
  readonly #counted = new Map<Choice, number>()

  constructor(stage: DiskStage, trial: Trial) {
    this.#stage = stage
    this.#trial = trial
  }

  /** One call of one deed fails, or some from that one on. */
  async round({ index, random }: Round): Promise<void> {
    const choice = choices[(index * stride) % choices.length]
    if (!choice) throw new Error('there is no such choice')
    const most = this.#counted.get(choice) ?? (await this.#count(choice))
    this.#counted.set(choice, most)
    if (most === 0) return
    const fault = { ...faultOf(choice, random), skip: random.below(most) }
    const { failed } = await this.#try(choice, fault, random)
    if (failed > 0) this.#trial.tried += 1
  }

  async #count(choice: Choice): Promise<number> {
    const { name, call, path } = choice
    const random = this.#trial.randomOf(`count ${name}`)
    const none = { calls: [call], path, error: 'EIO', skip: 0, fail: 0 } as const
    return (await this.#try(choice, none, random)).matched
  }

  async #try({ name }: Choice, fault: Fault, random: Random): Promise<Damage> {
    const damages: Damage[] = []
    const under = async (work: () => Promise<unknown>) => {
      damages.push(await this.#stage.under(fault, work))
      await this.#stage.heals()
    }
    await deeds[name](this.#stage, under, random).catch((error: unknown) => {
      const how = `${name}, ${JSON.stringify(fault)}, ${JSON.stringify(damages)}`
      throw new Error(`${how}: ${String(error)}`, { cause: error })
    })
    const { broken, last } = await this.#stage.disk.look()
    expect({ broken, last: broken === 0 ? '' : last }).toEqual({ broken: 0, last: '' })
    await this.#stage.expectTidy()
    const [damage] = damages
    if (!damage) throw new Error(`${name} tried nothing`)
    return damage
  }
}

function faultOf({ call, path }: Choice, random: Random) {
  const errors: readonly [DiskError, ...DiskError[]] =
    call === 'sync' ? ['EIO', 'ENOSPC', 'EDQUOT'] : ['ENOSPC', 'EIO', 'EROFS', 'EDQUOT']
  const part = call === 'write' && random.below(3) === 0 ? 512 * (1 + random.below(16)) : 0
  const fail = random.pick([1, 1, 2, forGood])
  return { calls: [call], path, error: random.pick(errors), fail, part }
}
