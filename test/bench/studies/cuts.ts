import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { formatSize } from '../../../src/image/size.ts'
import { startRelay, type Relay } from '../../support/relay.ts'
import type { Bench } from '../bench.ts'
import { startSlipway, type Slipway } from '../peers/slipway.ts'
import { curl } from '../programs.ts'
import type { Study } from '../study.ts'
import { writeRandomFile } from '../workspace.ts'

type Ground = Omit<Bench, 'file'>

const size = 1024 * 1024 * 1024
const at = Math.floor(0.9 * size)

/** The service on one data folder, in one process after another. */
class Lives implements AsyncDisposable {
  readonly #folder: string
  readonly #bench: Ground
  #resources = new AsyncDisposableStack()
  now: Slipway | null = null

  constructor(folder: string, bench: Ground) {
    this.#folder = folder
    this.#bench = bench
  }

  async begin(): Promise<Slipway> {
    this.now = await startSlipway(this.#folder, this.#bench, this.#resources)
    return this.now
  }

  async end(how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.now?.pid && how === 'SIGKILL') process.kill(this.now.pid, how)
    await this.#resources.disposeAsync()
    this.#resources = new AsyncDisposableStack()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

type Stage = { readonly lives: Lives; readonly relay: Relay }

const cuts = {
  'by the network': ({ relay }: Stage) => Promise.resolve(relay.cut()),
  'by kill -9 of Slipway': (stage: Stage) => restart(stage, 'SIGKILL'),
  'by a restart of Slipway': (stage: Stage) => restart(stage, 'SIGTERM'),
} as const

async function restart({ lives, relay }: Stage, how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  await lives.end(how)
  await lives.begin()
  relay.cut()
}

/** What an upload by curl that is cut at 90 % costs: the bytes that go over the network, counted on their way. */
export const cutsStudy: Study = {
  name: 'cuts',
  title: `an upload of ${formatSize(size)} by curl, cut at 90 %, that goes on with curl -C`,
  needs: [curl],
  async run(bench) {
    const file = join(bench.folder, 'cuts')
    await writeRandomFile(file, size, bench.signal)
    const rows: (string | number)[][] = []
    for (const [how, cut] of Object.entries(cuts)) {
      const again = await sentAgain(file, cut, bench)
      bench.say(`cut ${how}: ${again} bytes again`)
      rows.push([`cut ${how}`, formatSize(again), `${((100 * again) / at).toFixed(2)} %`, '100 %'])
    }
    await rm(file)
    return {
      headings: ['', 'sent again', 'of what was sent', 'DVCR, which begins at byte 0'],
      rows,
      notes: ['at full speed; headers count as well'],
    }
  },
}

async function sentAgain(
  file: string,
  cut: (stage: Stage) => Promise<void>,
  bench: Ground,
): Promise<number> {
  const folder = join(bench.folder, 'cuts-data')
  await using lives = new Lives(folder, bench)
  const { create } = await lives.begin()
  await using relay = await startRelay(() => lives.now?.base ?? '')
  const path = new URL(await create('cut')).pathname
  const reached = relay.holdAt(at)
  const first = curlEnds(['-f', relay.base + path, '-T', file], bench)
  await reached
  await cut({ lives, relay })
  if ((await first) === 0) throw new Error('the upload was not cut')
  const { headers } = await fetch(`${lives.now?.base}${path}`, { method: 'HEAD' })
  const offset = headers.get('upload-offset') ?? '0'
  const code = await curlEnds(['-f', '-C', offset, relay.base + path, '-T', file], bench)
  if (code !== 0) throw new Error(`curl -C ${offset} ended with ${String(code)}`)
  await lives.end('SIGTERM')
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  return relay.sent - size
}

async function curlEnds(args: readonly string[], { within, signal }: Ground): Promise<unknown> {
  const child = spawn('curl', ['-sS', ...args], { stdio: 'ignore', timeout: within, signal })
  const [code]: readonly unknown[] = await once(child, 'close')
  return code
}
