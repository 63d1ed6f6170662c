import { expect } from 'vitest'
import { runSchema, runsSchema } from '../../src/serve/api/storage-schema.ts'
import { Cut, type CutClient, type Life } from './model-life.ts'
import type { Random } from './random.ts'
import { expectStatus, RegistryClient } from './registry-client.ts'
import type { Service } from './service.ts'

/** What happens to a service beside its clients. */
export type Deed = 'gc' | 'dry run' | 'scrub' | 'kill' | 'stop'

/** One more client: it collects, scrubs, kills and stops the service while the others go on. */
export class Upkeep {
  readonly #client: CutClient
  readonly #life: Life
  readonly #random: Random
  readonly #deeds: readonly [Deed, ...Deed[]]
  readonly done: Record<Deed, number> = { gc: 0, 'dry run': 0, scrub: 0, kill: 0, stop: 0 }

  constructor(client: CutClient, random: Random, deeds: readonly [Deed, ...Deed[]]) {
    this.#client = client
    this.#life = client.life
    this.#random = random
    this.#deeds = deeds
  }

  async step(): Promise<void> {
    const deed = this.#random.pick(this.#deeds)
    const { service } = this.#life
    if (deed === 'kill') await this.#life.interrupt(() => service.kill())
    else if (deed === 'stop') await this.#life.interrupt(() => service.stop())
    else await this.#begin(deed)
    this.done[deed] += 1
  }

  async #begin(deed: 'gc' | 'dry run' | 'scrub'): Promise<void> {
    const kind = deed === 'scrub' ? 'scrub' : 'gc'
    try {
      await begin(this.#client, kind, deed === 'dry run' ? { dryRun: true } : {})
    } catch (error) {
      if (!(error instanceof Cut)) throw error
    }
  }
}

async function begin(client: RegistryClient, kind: 'gc' | 'scrub', options: object) {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(options)
  const answer = await client.ask('POST', `/api/v1/storage/${kind}`, { body, headers })
  return runSchema.parse(JSON.parse(await expectStatus(answer, 202)))
}

/** Runs a whole collection. */
export async function collectAll(service: Pick<Service, 'base'>): Promise<void> {
  const client = new RegistryClient(() => service.base)
  const { id } = await begin(client, 'gc', {})
  const look = async () => {
    const answer = await client.ask('GET', `/api/v1/storage/runs/${id}`)
    return runSchema.parse(await answer.json()).state
  }
  await expect.poll(look, { timeout: 60_000 }).toBe('done')
}

/** Runs that came to no end of their own, but for those that an end of the service has interrupted. */
export async function failedRuns(service: Service) {
  const answer = await new RegistryClient(() => service.base).ask('GET', '/api/v1/storage/runs')
  const { items } = runsSchema.parse(await answer.json())
  return items.filter(({ state }) => state === 'failed')
}
