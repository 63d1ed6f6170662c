import type { WorkQueue, Work } from './queue.ts'
import { together } from './together.ts'

export type RoundsOptions = {
  readonly queue: WorkQueue
  readonly workers: number
  readonly work: Work
  /** Of all resources. */
  readonly names: () => Iterable<string>
  /** Adds to the queue what changes, until it is disposed of. */
  readonly follow: () => Disposable
  /** What brings changes only to whoever leads; it ends with the signal. */
  readonly listen: (signal: AbortSignal) => Promise<void>
}

/** Everything is looked at so often, whatever has changed: a safety net. Milliseconds. */
const wholeRound = 30 * 60_000

/** The work on all resources for as long as this process leads. */
export async function rounds(options: RoundsOptions, signal: AbortSignal): Promise<void> {
  const { queue, workers, work, follow, listen } = options
  using undo = new DisposableStack()
  undo.use(follow())
  const all = (lane: 'first' | 'later') => {
    for (const name of options.names()) queue.add(name, lane)
  }
  const timer = setInterval(() => all('later'), wholeRound)
  undo.defer(() => clearInterval(timer))
  all('first')
  await together([listen, (until) => queue.run(workers, work, until)], signal)
}
