import { describe, expect } from 'vitest'
import { expectWhole } from '../support/damage.ts'
import type { Random } from '../support/random.ts'
import { DiskStage } from './disk-stage.ts'
import { forGood, type Call, type Fault } from './failing-disk.ts'
import { needsCompiler } from './shim.ts'
import { tryOut, type Trial } from './trial.ts'

const every: readonly Call[] = ['write', 'sync', 'name']
const calls = [['write'], ['sync'], ['name'], every] as const

/** What a start says that a broken disk has ended, as the last that it says. */
const reason = /(?:EIO|ENOSPC|EROFS|EDQUOT|122|the storage is full|cannot be read or written)/

describe.skipIf(!needsCompiler())('a disk that fails at the start', () => {
  tryOut('disk-start', async (trial) => {
    await using stage = await DiskStage.set()
    const none = { calls: every, path: stage.folder, error: 'EIO', skip: 0, fail: 0 } as const
    await stage.service.kill()
    const { matched } = await stage.under(none, () => stage.service.start())
    for (const { random } of trial.rounds()) {
      await stage.service.kill()
      await start(stage, trial, faultOf(random, stage.folder, matched))
      await stage.heals()
      await expectWhole(stage.service, 'kept', stage.kept)
    }
    await stage.expectTidy()
  })
})

function faultOf(random: Random, path: string, most: number): Fault {
  return {
    calls: random.pick(calls),
    path,
    error: random.pick(['EIO', 'ENOSPC', 'EROFS', 'EDQUOT']),
    // Most calls are made early, and of one kind there are fewer than of all.
    skip: random.below(1 + random.below(most)),
    fail: random.pick([1, 2, forGood]),
  }
}

/** It starts, or ends with a reason; then it starts as soon as the disk is whole. */
async function start({ service, disk }: DiskStage, trial: Trial, fault: Fault): Promise<void> {
  await disk.fail(fault)
  const why = await service.start().then(
    () => null,
    (error: unknown) => String(error),
  )
  const { failed } = await disk.heal()
  if (failed > 0) trial.tried += 1
  if (why === null) return trial.note('starts all the same')
  expect(why).toMatch(/ended before it was ready/)
  expect(why.trimEnd().split('\n').at(-1)).toMatch(reason)
  await service.kill()
  await service.start()
}
