import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from './deadline.ts'
import { serveOn, type Variables } from './service.ts'

/** A moment in the life of a process: so many milliseconds after it was begun, or after it first wrote into a folder. */
export type Moment = { readonly after: number; readonly wrote?: string }

/** How long a process may take to write its first byte, and to be gone, in milliseconds. */
const patience = 30_000

/** Runs one of the program's commands on a data folder, and kills it at some moment unless it has ended by then. */
export async function killCommand(
  folder: string,
  args: readonly string[],
  variables: Variables,
  { after, wrote }: Moment,
): Promise<'killed' | 'ended'> {
  const { args: serve, env } = serveOn(folder, variables)
  const stop = new AbortController()
  const written = wrote === undefined ? null : firstWrite(wrote, stop.signal)
  const child = spawn(process.execPath, [...serve.slice(0, 1), ...args], { env, stdio: 'ignore' })
  const exited = once(child, 'close')
  try {
    const moment = (written ?? Promise.resolve()).then(() => pause(after))
    await within(patience, `a moment of ${args.join(' ')}`, Promise.race([moment, exited]))
  } finally {
    stop.abort()
    child.kill('SIGKILL')
  }
  const [, signal]: unknown[] = await within(patience, 'the end of a command', exited)
  return signal === 'SIGKILL' ? 'killed' : 'ended'
}

/** Whoever is not interested any more is told, too. */
async function firstWrite(folder: string, signal: AbortSignal): Promise<void> {
  const watcher = watch(folder)
  try {
    await Promise.race([once(watcher, 'change', { signal }), once(signal, 'abort')])
  } finally {
    watcher.close()
  }
}
