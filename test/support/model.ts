import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { OwnRepository } from './model-own.ts'
import { poolOf } from './model-pool.ts'
import { SharedRepository } from './model-shared.ts'
import { pushLeftovers } from './push-leftovers.ts'
import { Random, seedOf } from './random.ts'
import { RegistryClient } from './registry-client.ts'
import type { Service } from './service.ts'

export type ModelOptions = {
  readonly service: Service
  readonly seed: number
  readonly operations: number
  /** After so many operations everything is looked at. */
  readonly between: number
  /** What happens to the service then. */
  readonly disturb: (service: Service) => Promise<void>
}

const clients = 8
/** So few that each is pushed, used and freed by several at the same time. */
const blobs = 8
/** One operation of so many is in the repository that all share. */
const sharedOf = 5

/**
 * Random operations of several clients at the same time against a model of what must be there.
 * @returns what is left when everything was deleted
 */
export async function runModel({ service, seed, operations, between, disturb }: ModelOptions) {
  const client = new RegistryClient(() => service.base)
  const pool = poolOf(new Random(seed), blobs)
  const shared = new SharedRepository('model/shared', client, pool)
  const names = Array.from({ length: clients }, (_, index) => `model/c${index}`)
  const lanes = names.map((name) => {
    const random = new Random(seedOf(name, seed))
    const own = new OwnRepository(name, client, random, pool, ['model/shared', ...names])
    return { random, own }
  })
  for (let done = 0; done < operations; done += between) {
    await Promise.all(
      lanes.map(async ({ random, own }) => {
        for (let count = 0; count < between / clients; count += 1) {
          await (random.below(sharedOf) === 0 ? shared.step(random) : own.step())
        }
      }),
    )
    await disturb(service)
    await Promise.all([shared.check(), ...lanes.map(({ own }) => own.check())])
  }
  await Promise.all([shared.empty(), ...lanes.map(({ own }) => own.empty())])
  const folders = await readdir(join(service.folder, 'repositories'))
  const records = folders.filter((name) => name !== '_store')
  return { ...(await pushLeftovers(service.folder)), records, retries: shared.retries }
}
