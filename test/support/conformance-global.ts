import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { z } from 'zod'
import { within } from './deadline.ts'
import { placeVariables, type Place } from './place.ts'
import { temporaryFolder } from './temporary.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the service is that files share whose tests have repositories of their own. */
    readonly sharedService: string
  }
}

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
/** Milliseconds. */
const startsWithin = 20_000
const endsWithin = 10_000

const lineSchema = z.looseObject({ msg: z.string(), level: z.int(), listen: z.string().optional() })
/** As pino counts. */
const error = 50

/** Starting a service takes longer than what most files ask of it, so they share one. */
export default async function share(project: TestProject): Promise<() => Promise<void>> {
  return await shareService(project, null)
}

/** @param place where it stores its blobs, null for its folder */
export async function shareService(
  project: TestProject,
  place: Place | null,
): Promise<() => Promise<void>> {
  await using undo = new AsyncDisposableStack()
  const folder = undo.use(await temporaryFolder()).path
  const child = spawn(process.execPath, [program, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      SLIPWAY_DATA_DIR: folder,
      SLIPWAY_LISTEN: '127.0.0.1:0',
      SLIPWAY_LOG_FORMAT: 'json',
      ...(place && placeVariables(folder, place)),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'close')
  undo.defer(async () => {
    child.kill()
    const [code] = await within(endsWithin, 'the end of the shared service', exited)
    if (code !== 0) throw new Error(`the shared service ended with ${code}`)
  })
  const early = exited.then(([code]) => {
    throw new Error(`the shared service ended with ${code} before it was ready`)
  })
  const listen = await within(
    startsWithin,
    'its start',
    Promise.race([addressIn(child.stdout), early]),
  )
  project.provide('sharedService', `http://${listen}`)
  const held = undo.move()
  return () => held.disposeAsync()
}

/** Goes on after the address is known: what went wrong inside the service is shown. */
async function addressIn(output: Readable): Promise<string> {
  const found = Promise.withResolvers<string>()
  createInterface({ input: output }).on('line', (text) => {
    const { level, listen } = lineSchema.parse(JSON.parse(text))
    if (level >= error) console.error(text)
    if (listen !== undefined) found.resolve(listen)
  })
  return await found.promise
}
