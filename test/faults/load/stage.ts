import { setTimeout as pause } from 'node:timers/promises'
import type { Neighbour } from '../../support/http-neighbour.ts'
import type { Random } from '../../support/random.ts'
import { Line, type Tally } from './line.ts'
import type { Held, Known, Shelf } from './shelf.ts'

/** What all clients of a round share. */
export type Stage = {
  readonly base: string
  /** Where imports come from. */
  readonly neighbour: Neighbour
  /** All that was acknowledged. */
  readonly held: Shelf<Held>
  /** Images that were created, in whatever phase. */
  readonly images: Shelf<Known>
  readonly tally: Tally
  readonly note: (what: string) => void
  /** Whether it is time to end, or somebody has failed. */
  readonly over: AbortSignal
}

/** A client of its own connection, which goes on until the round is over. */
export type Client = (line: Line, random: Random, stage: Stage, index: number) => Promise<void>

/** @throws Error of the first that fails, once all others have ended */
export async function playAll(
  stage: Omit<Stage, 'over'>,
  clients: readonly (readonly [count: number, client: Client])[],
  randomOf: (what: string) => Random,
  milliseconds: number,
): Promise<void> {
  const failed = new AbortController()
  const over = AbortSignal.any([failed.signal, AbortSignal.timeout(milliseconds)])
  const play = async (client: Client, index: number) => {
    await using line = new Line(stage.base, stage.tally)
    try {
      await client(line, randomOf(`${client.name} ${index}`), { ...stage, over }, index)
    } catch (error) {
      failed.abort(error)
    }
  }
  await Promise.all(
    clients.flatMap(([count, client]) =>
      Array.from({ length: count }, (_, at) => play(client, at)),
    ),
  )
  failed.signal.throwIfAborted()
}

/** About so many milliseconds, so that clients do not march in step. */
export async function about(milliseconds: number, random: Random): Promise<void> {
  await pause(milliseconds / 2 + random.below(milliseconds))
}
