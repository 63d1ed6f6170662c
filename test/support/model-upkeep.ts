import type { CutClient, Life } from './model-life.ts'
import { Cut } from './model-life.ts'
import type { Random } from './random.ts'
import { expectStatus } from './registry-client.ts'

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
    const body = JSON.stringify(deed === 'dry run' ? { dryRun: true } : {})
    const headers = { 'content-type': 'application/json' }
    const path = `/api/v1/storage/${kind}`
    try {
      await expectStatus(await this.#client.ask('POST', path, { body, headers }), 202)
    } catch (error) {
      if (!(error instanceof Cut)) throw error
    }
  }
}
