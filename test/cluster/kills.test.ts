import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import type { Companion } from '../support/cluster/companion.ts'
import { moments, type Moment } from '../support/cluster/crossing.ts'
import { killedAt, killedWhileStarting } from '../support/cluster/kills.ts'
import { Scenario } from '../support/cluster/scenario.ts'
import { openStage, type Stage } from '../support/cluster/stage.ts'
import { Random } from '../support/random.ts'

/** LONG_SEED=7 npm run cluster -- kills takes other requests of the long scenario. */
const seed = Number(process.env['LONG_SEED'] ?? 20_270)
/** Of the long scenario so many requests are tried. */
const sample = 8
/** Requests of a start: to list, to lead, to watch, to listen, and those for the image and the classes that wait. */
const whileStarting = 18
/** Every kill costs the start of a process. */
const long = 600_000
const patience = '--timeout=50s'

describe.skipIf(!needsCluster())('the companion, killed between any two of its requests', () => {
  const undo = new AsyncDisposableStack()
  let stage: Stage
  let scenario: Scenario
  let companion: Companion

  beforeAll(async () => {
    stage = undo.use(await openStage())
    scenario = undo.use(await Scenario.open(stage))
    companion = await stage.startCompanion()
    await presetsDone()
  })
  afterAll(() => undo.disposeAsync())

  /** They cost requests that are not the image's. */
  async function presetsDone(): Promise<void> {
    for (const name of ['host', 'host-passthrough', 'generic'])
      for (const condition of ['create', 'jsonpath={.status.phase}'])
        await stage.cluster.kubectl('wait', `--for=${condition}`, `vmclass/${name}`, patience)
  }

  /** How many requests it makes when nothing disturbs it. */
  async function requestsOf(play: () => Promise<void>): Promise<number> {
    const before = stage.crossing.requests.length
    await play()
    return stage.crossing.requests.length - before
  }

  async function killed(nth: number, moment: Moment, play: () => Promise<void>) {
    const result = await killedAt(stage, companion, { nth, moment }, play)
    companion = result.companion
    return result.at
  }

  test('brings one image to Ready and away again', { timeout: long }, async () => {
    const count = await requestsOf(() => scenario.short('short'))
    expect(count).toBeLessThan(20)
    let kills = 0
    for (const moment of moments) {
      for (let nth = 1; nth <= count; nth += 1) {
        const died = await killed(nth, moment, () => scenario.short(`short-${moment}-${nth}`))
        if (died) kills += 1
      }
    }
    // The last ones may find nothing left to do.
    expect(kills).toBeGreaterThan(count)
  })

  test('is started again and goes on from where it was', { timeout: long }, async () => {
    await companion.stop()
    const names: string[] = []
    for (const moment of moments) {
      for (let nth = 1; nth <= whileStarting; nth += 1) {
        const name = `start-${moment}-${nth}`
        names.push(name)
        await scenario.begin(name)
        await killedWhileStarting(stage, { nth, moment })
      }
    }
    companion = await stage.startCompanion()
    await scenario.end(names)
  })

  test('brings many of every kind to where they belong', { timeout: long }, async () => {
    const count = await requestsOf(() => scenario.long('long'))
    const random = new Random(seed)
    for (let round = 0; round < sample; round += 1) {
      const nth = 1 + random.below(count)
      const moment = random.pick(moments)
      await killed(nth, moment, () => scenario.long(`long-${round}`))
    }
  })
})
