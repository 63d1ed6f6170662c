import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import type { Companion } from '../support/cluster/companion.ts'
import { pausedImports, type Paused } from '../support/cluster/paused.ts'
import { openStage, type Stage } from '../support/cluster/stage.ts'
import type { Random } from '../support/random.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { buildShim, needsCompiler } from './shim.ts'
import { ShiftedClock } from './shifted-clock.ts'
import { tryOut, type Round } from './trial.ts'

const day = 86_400_000
/** The Lease of one that is gone runs for 15 s, and the other one looks every 2 s; on a busy machine. Milliseconds. */
const takesOverWithin = 60_000
const patience = { timeout: takesOverWithin, interval: 100 }

/** No resource goes back in it, whoever writes its status. */
const order = ['Pending', 'WaitForUserUpload', 'Provisioning', 'Ready', 'Terminating']

describe.skipIf(!needsCluster() || !needsCompiler())('several controllers', () => {
  tryOut('two-controllers', async (trial) => {
    await using folder = await temporaryFolder()
    using clock = new ShiftedClock(join(folder.path, 'shift'))
    const shim = await buildShim('clock', folder.path)
    await using stage = await openStage()
    const variables = { LD_PRELOAD: shim, ...clock.variables }
    const first = await stage.startCompanion(variables)
    const pair = [first, await stage.startCompanion(variables)] as const
    const play = new Play(stage, pair, clock)
    for (const round of trial.rounds()) {
      trial.note(await play.round(round))
      trial.tried += 1
    }
  })
})

type Deed = (victim: Companion, random: Random) => Promise<string>

/** Two companions, and what happens to one of them while resources are on their way. */
class Play {
  readonly #stage: Stage
  readonly #pair: readonly [Companion, Companion]
  readonly #clock: ShiftedClock

  constructor(stage: Stage, pair: readonly [Companion, Companion], clock: ShiftedClock) {
    this.#stage = stage
    this.#pair = pair
    this.#clock = clock
  }

  /** @returns what happened */
  async round({ index, random }: Round): Promise<string> {
    const leader = await this.#leader()
    const follower = this.#other(leader)
    const all = await pausedImports(this.#stage, `round-${index}`, 2)
    const deeds: readonly [Deed, ...Deed[]] = [
      (victim) => this.#freeze(victim, all, victim === leader),
      (victim) => this.#kill(victim),
      (victim) => this.#stop(victim),
      (_, random) => this.#cut(random),
      (_, random) => this.#jump(random),
    ]
    await pause(random.below(1000))
    const what = await random.pick(deeds)(random.pick([leader, leader, follower]), random)
    for (const { go } of all) go()
    for (const one of all) await this.#expectDone(one)
    expect(await this.#stage.service.rest.names()).toEqual([])
    return what
  }

  /** One leads, and not both. */
  async #leader(): Promise<Companion> {
    const leading = async () => {
      const all = await Promise.all(this.#pair.map((one) => one.read('/readyz')))
      return all.filter((text) => text.includes('this process leads')).length
    }
    await expect.poll(leading, patience).toBe(1)
    const [first, second] = this.#pair
    return (await first.read('/readyz')).includes('this process leads') ? first : second
  }

  #other(one: Companion): Companion {
    const [first, second] = this.#pair
    return one === first ? second : first
  }

  /** One that stands still while everything ends, and writes nothing of what it knew when it wakes. */
  async #freeze(victim: Companion, all: readonly Paused[], led: boolean): Promise<string> {
    process.kill(victim.pid, 'SIGSTOP')
    if (led) await this.#leads(this.#other(victim))
    for (const { go } of all) go()
    const ready = await Promise.all(all.map(({ name }) => this.#ready(name)))
    process.kill(victim.pid, 'SIGCONT')
    await expect.poll(() => victim.read('/readyz'), patience).toContain('does not lead')
    const now = all.map(({ name }) => this.#stage.resources.find(name))
    expect(now).toEqual(ready)
    return 'frozen'
  }

  async #kill(victim: Companion): Promise<string> {
    await victim.kill()
    await victim.start()
    return 'killed'
  }

  async #stop(victim: Companion): Promise<string> {
    await victim.stop()
    await victim.start()
    return 'stopped'
  }

  /** All connections of both, to both sides. */
  async #cut(random: Random): Promise<string> {
    for (let nth = random.below(5); nth >= 0; nth -= 1) {
      await pause(random.below(1500))
      this.#stage.crossing.cut(random.pick(['cluster', 'service']))
    }
    return 'cut off'
  }

  /** For long enough to renew the Lease by the other time. */
  async #jump(random: Random): Promise<string> {
    const leader = await this.#leader()
    for (let nth = random.below(3); nth >= 0; nth -= 1) {
      this.#clock.jump((random.below(2) === 0 ? 1 : -1) * (1 + random.below(day)))
      await pause(random.below(4000))
    }
    expect(await leader.read('/readyz'), 'the clock costs nobody the lead').toContain(
      'this process leads',
    )
    return 'set to another time'
  }

  async #leads(companion: Companion): Promise<void> {
    await expect.poll(() => companion.read('/readyz'), patience).toContain('this process leads')
  }

  async #ready(name: string) {
    return await this.#stage.resources.ready(name, takesOverWithin)
  }

  async #expectDone({ name, imports }: Paused): Promise<void> {
    const { resources, service, neighbour } = this.#stage
    const { status } = await this.#ready(name)
    expect(status).toMatchObject((await service.rest.image(name)).status)
    expect(imports(), `imports of ${name}`).toBe(1)
    await resources.deleted(name, takesOverWithin)
    const phases = resources.history(name).map(({ status }) => order.indexOf(status?.phase ?? ''))
    const told = phases.filter((phase) => phase >= 0)
    expect(told).toEqual(told.toSorted((a, b) => a - b))
    neighbour.serve(`/${name}`, { status: 404 })
  }
}
