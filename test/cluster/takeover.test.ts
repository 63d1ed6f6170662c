import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import type { Companion } from '../support/cluster/companion.ts'
import { pausedImports, type Paused } from '../support/cluster/paused.ts'
import { openStage, type Stage } from '../support/cluster/stage.ts'
import { disk, mebibyte } from '../support/disks.ts'

const leads = 'this process leads'

describe.skipIf(!needsCluster())('of two companions', () => {
  const undo = new AsyncDisposableStack()
  let stage: Stage

  beforeAll(async () => {
    stage = undo.use(await openStage())
  })
  afterAll(() => undo.disposeAsync())

  const untilLeading = async (companion: Companion, limit = 20_000) => {
    await companion.logs.line(({ msg }) => msg === leads, 0, limit)
  }
  const hasLed = ({ logs }: Companion) => logs.lines.some(({ msg }) => msg === leads)

  async function pair(): Promise<{ readonly leader: Companion; readonly follower: Companion }> {
    const leader = await stage.startCompanion()
    await untilLeading(leader)
    const follower = await stage.startCompanion()
    return { leader, follower }
  }

  async function expectReady(all: readonly Paused[]): Promise<void> {
    for (const { go } of all) go()
    for (const { name, imports } of all) {
      const { status } = await stage.resources.ready(name)
      expect(status).toMatchObject((await stage.service.rest.image(name)).status)
      expect(imports()).toBe(1)
      const { metadata } = await stage.resources.ready(name)
      const told = (await stage.resources.events(metadata.uid)).map(({ reason }) => reason)
      expect(told).toEqual(['DataSourceImportCompleted', 'DataSourceImportStarted'])
    }
  }

  test.each([
    // The Lease runs for 15 s from the last time that the other one saw it change, and is looked at every 2 s.
    { how: 'kill -9', within: 20_000 },
    { how: 'SIGTERM', within: 5000 },
  ])('one takes over from a leader ended by $how', async ({ how, within }) => {
    const { leader, follower } = await pair()
    const all = await pausedImports(stage, how === 'SIGTERM' ? 'stopped' : 'killed', 3)
    expect(hasLed(follower)).toBe(false)
    await (how === 'SIGTERM' ? leader.stop() : leader.kill())
    await untilLeading(follower, within)
    await expectReady(all)
    await follower.stop()
  })

  test('one that is started while another stops goes on with its imports', async () => {
    const old = await stage.startCompanion()
    const all = await pausedImports(stage, 'upgraded', 3)
    const url = stage.neighbour.serve('/upgraded-new', { bytes: disk(mebibyte / 4) })
    const [next] = await Promise.all([
      stage.startCompanion(),
      stage.resources.create('upgraded-new', { type: 'HTTP', http: { url } }),
      old.stop(),
    ])
    await expectReady(all)
    await stage.resources.ready('upgraded-new')
    expect(stage.neighbour.count('/upgraded-new')).toBe(1)
    await next.stop()
  })
})
