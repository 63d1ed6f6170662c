import { readFileSync, statSync } from 'node:fs'
import { z } from 'zod'

/** What `shims/record.c` writes before each path. */
const head = 48
const kinds = [
  'create',
  'folder',
  'write',
  'truncate',
  'rename',
  'unlink',
  'rmdir',
  'link',
  'syncing',
  'synced',
  'unknown',
] as const

/** One change of the folder, or one side of a sync. */
export type Change = {
  readonly kind: (typeof kinds)[number]
  /** The number of the file or folder, where the call has it. */
  readonly file: bigint
  /** Below the recorded folder, '' for that itself. */
  readonly path: string
  /** The other name; of what is unknown, the call. */
  readonly path2: string
  /** Bytes: of a write from where on, of a truncate the length; of a sync its number. */
  readonly offset: number
  /** Null for zeros. */
  readonly bytes: Buffer | null
  readonly length: number
  /** Milliseconds of a clock that does not jump. */
  readonly time: number
  /** Bytes of the log before and behind it. */
  readonly start: number
  readonly end: number
}

/** Everything that a process has done to a folder, in order. @throws Error when it did what cannot be followed */
export function readRecording(log: string, root: string): readonly Change[] {
  const all = readFileSync(log)
  const changes: Change[] = []
  for (let at = 0; at < all.length;) {
    const change = changeAt(all, at, root)
    if (change.end > all.length) break
    if (change.kind === 'unknown') throw new Error(`${change.path2} of ${change.path} is not known`)
    changes.push(change)
    at = change.end
  }
  return changes
}

/** How far a log goes at this moment: what was answered before is in it. */
export function lengthOfLog(log: string): number {
  return statSync(log).size
}

const kindSchema = z.enum(kinds)

function changeAt(all: Buffer, start: number, root: string): Change {
  const number = (at: number) => Number(all.readBigUInt64LE(start + at))
  const [first, second] = [all.readUInt32LE(start + 4), all.readUInt32LE(start + 8)]
  const isZero = all.readUInt32LE(start + 12) === 1
  const kind = kindSchema.parse(kinds[all.readUInt32LE(start) - 1])
  const names = start + head
  const data = names + first + second
  const length = number(32)
  const end = data + (kind === 'write' && !isZero ? length : 0)
  return {
    kind,
    file: all.readBigUInt64LE(start + 16),
    path: below(all.toString('utf8', names, names + first), root),
    path2: below(all.toString('utf8', names + first, data), root),
    offset: number(24),
    bytes: end > data ? all.subarray(data, end) : null,
    length,
    time: number(40) / 1e6,
    start,
    end,
  }
}

function below(path: string, root: string): string {
  return path.startsWith(root) ? path.slice(root.length + 1) : path
}
