import { within } from '../deadline.ts'
import type { Companion } from './companion.ts'
import type { Crossed, Moment } from './crossing.ts'
import type { Stage } from './stage.ts'

/** The Lease alone makes a request every 2 s. Milliseconds. */
const patience = 40_000

export type Killed = {
  /** The one that runs now. */
  readonly companion: Companion
  /** The request it was killed at; null when so many were not needed. */
  readonly at: Crossed | null
}

/** Kills the companion at its nth request from now on while something is played, and starts another one. */
export async function killedAt(
  stage: Stage,
  companion: Companion,
  { nth, moment }: { readonly nth: number; readonly moment: Moment },
  play: () => Promise<void>,
): Promise<Killed> {
  const { crossing } = stage
  const replaced = crossing
    .killAt(nth, moment, () => companion.kill())
    .then(async (at) => ({ companion: await replace(stage), at }))
  const failed = replaced.then(() => new Promise<never>(() => undefined))
  await Promise.race([play(), failed])
  return crossing.spare() ? { companion, at: null } : await replaced
}

/** Starts one that dies at its nth request. */
export async function killedWhileStarting(
  stage: Stage,
  { nth, moment }: { readonly nth: number; readonly moment: Moment },
): Promise<Crossed> {
  const companion = await stage.newCompanion()
  const killed = stage.crossing.killAt(nth, moment, () => companion.kill())
  companion.launch()
  const at = await within(patience, `request ${nth} of a companion that starts`, killed)
  await stage.forgetLeader()
  stage.crossing.open()
  return at
}

/** Its Lease would run for some seconds more. */
async function replace(stage: Stage): Promise<Companion> {
  await stage.forgetLeader()
  stage.crossing.open()
  return await stage.startCompanion()
}
