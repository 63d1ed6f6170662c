import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import type { Random } from '../support/random.ts'
import { Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { Aftermath, type Crash } from './power/after.ts'
import { lost, torn, type Manner } from './power/cut.ts'
import { Disk } from './power/disk.ts'
import { Ledger } from './power/ledger.ts'
import { readRecording, type Change } from './power/recording.ts'
import { Workload } from './power/workload.ts'
import { settings } from './settings.ts'
import { buildShim, needsCompiler } from './shim.ts'
import { tryOut, type Trial } from './trial.ts'

/** So many power cuts are made of one recording. */
const cuts = settings.minutes === null ? 9 : 20
/** From the first request to the end of a process, in milliseconds at most. */
const longest = 5000
/**
 * What an upload may lose, and how much later than it should a busy machine may come to it, in milliseconds. Only a campaign,
 * on a quiet machine, holds it to that.
 */
const lastSecond = 1000
const late = settings.minutes === null ? Infinity : 1500

tryOut('power-lost', (trial) => play(trial, lost))
tryOut('power-torn', (trial) => play(trial, torn))

async function play(trial: Trial, manner: Manner): Promise<void> {
  if (!needsCompiler()) return
  await using shims = await temporaryFolder()
  const shim = await buildShim('record', shims.path)
  for (const { random } of trial.rounds()) {
    await using neighbour = await startNeighbour()
    await using folder = await temporaryFolder()
    const recorded = await record({ folder: folder.path, shim, neighbour }, random)
    trial.note('changes of the disk', recorded.changes.length)
    await cutPower(recorded, manner, random, () => (trial.tried += 1))
  }
}

type Recorded = {
  readonly changes: readonly Change[]
  readonly ledger: Ledger
  /** Where the first process was killed. */
  readonly killed: number
  readonly folder: string
  /** Of the recorded folder. */
  readonly number: bigint
}

type Recording = { readonly folder: string; readonly shim: string; readonly neighbour: Neighbour }

/** The service at work, killed on the way, started again, and killed again. */
async function record({ folder, shim, neighbour }: Recording, random: Random): Promise<Recorded> {
  const [root, log] = [join(folder, 'root'), join(folder, 'log')]
  await mkdir(root)
  const { ino: number } = await stat(root, { bigint: true })
  await using service = new Service(join(root, 'data'), {
    SLIPWAY_LISTEN: '127.0.0.1:0',
    SLIPWAY_SOURCE_ALLOW: '127.0.0.0/8',
    SLIPWAY_LOG_FORMAT: 'json',
    LD_PRELOAD: shim,
    RECORD_ROOT: root,
    RECORD_LOG: log,
  })
  await service.start()
  const ledger = new Ledger(log)
  const workload = new Workload({ service, neighbour, ledger }, random)
  await workload.run(pause(random.below(longest)))
  const killed = ledger.place()
  await service.start()
  await workload.look()
  await workload.run(pause(longest))
  return { changes: readRecording(log, root), ledger, killed, folder, number }
}

/** One walk through the recording, with a power cut here and there. */
async function cutPower(
  recorded: Recorded,
  manner: Manner,
  random: Random,
  tried: () => void,
): Promise<void> {
  const { changes, ledger, folder, number } = recorded
  const places = Array.from({ length: cuts }, () => manner.place(changes, ledger, random))
  const disk = new Disk(number)
  let next = 0
  for (const place of places.toSorted((a, b) => a - b)) {
    for (let change = changes[next]; change && change.end <= place; change = changes[next]) {
      disk.play(change)
      next += 1
    }
    const left = join(folder, 'left')
    await mkdir(left)
    disk.write(left, manner.fate(random))
    await mkdir(join(left, 'data'), { recursive: true })
    try {
      await Aftermath.check(join(left, 'data'), ledger, crashAt(place, recorded))
    } catch (error) {
      throw new Error(`after ${described(changes, next)}: ${String(error)}`, { cause: error })
    }
    tried()
    await rm(left, { recursive: true })
  }
}

function crashAt(place: number, { changes, killed }: Recorded): Crash {
  const [ofFirst, ofSecond] = [keptAt(Math.min(killed, place), changes), keptAt(place, changes)]
  return { place, isKept: (told) => told.place <= (told.place <= killed ? ofFirst : ofSecond) }
}

/** What was told of uploads up to here is there, however a process ends at that place. */
function keptAt(place: number, changes: readonly Change[]): number {
  const end = changes.findLast((change) => change.end <= place)?.time ?? 0
  const before = end - lastSecond - late - 4 * longestSync(changes)
  return changes.findLast(({ time }) => time <= before)?.start ?? 0
}

function longestSync(changes: readonly Change[]): number {
  const begun = new Map<number, number>()
  let longest = 0
  for (const { kind, offset, time } of changes) {
    if (kind === 'syncing') begun.set(offset, time)
    if (kind === 'synced') longest = Math.max(longest, time - (begun.get(offset) ?? time))
  }
  return longest
}

function described(changes: readonly Change[], next: number): string {
  const last = changes[next - 1]
  return last ? `change ${next} (${last.kind} ${last.path})` : 'nothing'
}
