import { isIPv6 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { beginRun, runById, type StorageRun } from '../client/storage-runs.ts'
import { Rest } from '../client/rest.ts'
import { tokenSource } from '../client/token.ts'
import type { Settings } from '../env.ts'
import { Failure, Outage } from '../errors.ts'
import { complain, interrupted, interruption, type Output } from './command.ts'
import { RunView } from './run-view.ts'

/** What is to be done: `options` as the task takes them, `asked` as REST does. */
export type Errand = {
  readonly kind: StorageRun['kind']
  readonly options: { readonly [name: string]: string | number | boolean }
  readonly asked: object
}

/** A run that somebody watches, here or in the service. */
type Watched = AsyncDisposable & {
  readonly begun: StorageRun
  /** Its state after so many milliseconds, or earlier when it has ended. */
  readonly after: (milliseconds: number, signal: AbortSignal) => Promise<StorageRun>
  /** Nobody watches any more. @returns what is said of it */
  readonly leave: () => Promise<string>
}

const lookEvery = 1000
/** Who listens on all addresses is asked at loopback. */
const anyAddress = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** Begins a collection or a scrub, in the service or on its folder, and follows it to its end. @returns the exit code */
export async function maintain(errand: Errand, output: Output, settings: Settings) {
  await using watched = await begin(errand, settings)
  using view = new RunView(watched.begun)
  const run = await follow(watched, view, interruption())
  if (run !== null) return view.tell(run, output)
  view[Symbol.dispose]()
  complain(await watched.leave())
  return interrupted
}

/** Null when whoever watches does not want to any more. */
async function follow(
  watched: Watched,
  view: RunView,
  signal: AbortSignal,
): Promise<StorageRun | null> {
  let run = watched.begun
  // What is over soon is told soon.
  for (let pause = 50; run.state === 'running'; pause = Math.min(2 * pause, lookEvery)) {
    view.show(run)
    try {
      run = await watched.after(pause, signal)
    } catch (error) {
      if (signal.aborted) return null
      throw error
    }
  }
  return run
}

async function begin(errand: Errand, settings: Settings): Promise<Watched> {
  if (settings.url !== null) return await inService(errand, settings, settings.url)
  try {
    const { beginHere } = await import('./maintain-here.ts')
    return await beginHere(errand, settings)
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'FOLDER_IN_USE') throw error
  }
  return await inServiceHere(errand, settings)
}

async function inServiceHere(errand: Errand, settings: Settings): Promise<Watched> {
  try {
    return await inService(errand, settings, listenerOf(settings))
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause
    throw new Outage(
      'SERVICE_UNREACHABLE',
      `a Slipway is running on ${settings.dataDir}, but ${cause.message}; set SLIPWAY_URL to where it listens, and SLIPWAY_TOKEN or SLIPWAY_TOKEN_FILE`,
      { cause },
    )
  }
}

/** Where a service with these settings listens, seen from this machine. */
function listenerOf({ listen: { host, port }, tlsCert }: Settings): string {
  const name = anyAddress.get(host) ?? host
  return `${tlsCert === null ? 'http' : 'https'}://${isIPv6(name) ? `[${name}]` : name}:${port}`
}

async function inService(errand: Errand, settings: Settings, base: string): Promise<Watched> {
  const { userAgent } = await import('../app/version.ts')
  const rest = new Rest({ base, token: tokenSource(settings), userAgent: userAgent() })
  const begun = await beginRun(rest, errand.kind, errand.asked, new AbortController().signal)
  const { id } = begun
  return {
    begun,
    async after(milliseconds, signal) {
      await sleep(milliseconds, undefined, { signal })
      return await runById(rest, id, signal)
    },
    leave: () =>
      Promise.resolve(`the run goes on in the service: GET ${base}/api/v1/storage/runs/${id}`),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
