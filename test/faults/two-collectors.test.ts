import { expect } from 'vitest'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { runModel } from '../support/model.ts'
import { expectExactly } from '../support/model-store.ts'
import { collectAll, failedRuns } from '../support/model-upkeep.ts'
import { slipway } from '../support/program.ts'
import { startService, type Service } from '../support/service.ts'
import { tryOut } from './trial.ts'

/** What eight clients do in a round, and after how many of them somebody collects or scrubs. */
const operations = 240
const every = 6

tryOut('two-collectors', async (trial) => {
  for (const { random } of trial.rounds()) {
    // What pushes leave for a day has an end with it.
    await using service = await startService()
    const commands = [
      slipwayOn(service, 'gc'),
      slipwayOn(service, 'scrub'),
      slipwayOn(service, 'gc'),
    ]
    const done = await runModel({
      service,
      seed: random.below(2 ** 31),
      operations,
      between: operations,
      every,
      deeds: ['gc', 'gc', 'dry run', 'scrub'],
      inspect: async (expected) => {
        await collectAll(service)
        await expectExactly(await FilesystemStore.beside(service.folder), service.folder, expected)
      },
    })
    for (const { code, stderr } of await Promise.all(commands)) expect(code, stderr).toBe(0)
    expect(await failedRuns(service)).toEqual([])
    trial.tried += done.gc + done['dry run'] + done.scrub + commands.length
    trial.note('operations', operations)
  }
})

async function slipwayOn({ base }: Service, command: 'gc' | 'scrub') {
  return await slipway([command], { SLIPWAY_URL: base })
}
