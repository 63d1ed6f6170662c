import { describe, expect } from 'vitest'
import { runSchema } from '../../src/serve/api/storage-schema.ts'
import { framed, layerOf } from '../support/damage.ts'
import { expectStatus, locationOf } from '../support/registry-client.ts'
import { DiskStage, isDone } from './disk-stage.ts'
import { forGood, type Fault } from './failing-disk.ts'
import { needsCompiler } from './shim.ts'
import { tryOut, type Trial } from './trial.ts'
import type { Random } from '../support/random.ts'

describe.skipIf(!needsCompiler())('a disk that cannot be read', () => {
  tryOut('disk-read', async (trial) => {
    await using stage = await DiskStage.set()
    const layer = await layerOf(stage.service, 'kept')
    const ways = [
      { url: stage.service.rest.url('/kept/disk'), bytes: stage.kept },
      { url: stage.registry.url(`/v2/cvi/kept/blobs/${layer}`), bytes: framed(stage.kept) },
    ] as const
    for (const { random } of trial.rounds()) {
      const { url, bytes } = random.pick(ways)
      const damage = await stage.under(faultOf(random), async () => {
        trial.note(await pull(url, bytes))
      })
      trial.tried += damage.failed
      await stage.heals()
      expect(await pull(url, bytes)).toBe('whole answers')
      if (random.below(8) === 0) await scrubBlind(stage, trial)
    }
    await stage.expectTidy()
  })
})

function faultOf(random: Random): Fault {
  const fail = random.pick([1, forGood])
  return { calls: ['read'], path: '/blobs/', error: 'EIO', skip: random.below(6), fail }
}

/** Every byte that comes is right, whether all of them do or not. */
async function pull(url: string, bytes: Buffer): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(20_000) }).catch(unlessLate)
  if (answer === null) return 'answers cut off'
  if (!(await isDone(answer, 200))) return 'refusals'
  const length = Number(answer.headers.get('content-length'))
  expect(length).toBe(bytes.length)
  const chunks: Uint8Array[] = []
  const isWhole = await readAll(answer, chunks).then(
    () => true,
    () => false,
  )
  const come = Buffer.concat(chunks)
  expect(come.equals(bytes.subarray(0, come.length))).toBe(true)
  expect(come.length === bytes.length).toBe(isWhole)
  return isWhole ? 'whole answers' : 'answers cut off'
}

/** The head of an answer goes with its first bytes, so without these there is neither. */
function unlessLate(error: unknown): null {
  if (error instanceof TypeError) return null
  throw error
}

async function readAll({ body }: Response, chunks: Uint8Array[]): Promise<void> {
  for await (const chunk of body ?? []) chunks.push(chunk)
}

/** What a scrub cannot read it marks or leaves alone; what the next one can read is sound again. */
async function scrubBlind(stage: DiskStage, trial: Trial): Promise<void> {
  const fault = { calls: ['read'], path: '/blobs/', error: 'EIO', skip: 0, fail: forGood } as const
  await stage.under(fault, () => scrub(stage))
  trial.note('scrubs')
  await stage.heals()
  expect((await scrub(stage)).state).toBe('done')
  expect((await stage.service.rest.image('kept')).status.phase).toBe('Ready')
}

async function scrub({ registry }: DiskStage) {
  const begun = await registry.ask('POST', '/api/v1/storage/scrub')
  await expectStatus(begun, 202)
  const path = locationOf(begun)
  const look = async () => runSchema.parse(await (await registry.ask('GET', path)).json())
  await expect.poll(async () => (await look()).state, { timeout: 20_000 }).not.toBe('running')
  return await look()
}
