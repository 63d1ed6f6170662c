import type { Occurrence as Told } from '../report.ts'
import { conditionOf, type Said } from './status.ts'

type Occurrence = Told & {
  readonly reason:
    | 'DataSourceImportStarted'
    | 'DataSourceImportCompleted'
    | 'DataSourceImportFailed'
    | 'UploadTimeout'
    | 'ImageLost'
    | 'ImageRecovered'
}

/** As much of a status that was written as has to do with it. */
export type Before = {
  readonly phase?: string | undefined
  readonly conditions?:
    | readonly {
        readonly type: string
        readonly status: string
        readonly reason: string
        readonly lastTransitionTime: string
      }[]
    | undefined
}

/**
 * What happened between the status that was written last and the one that is to be written.
 * @param isFinding whether the companion itself found it: its times are those of the look then
 */
export function occurrencesBetween(
  before: Before | undefined,
  after: Said,
  isFinding: boolean,
): readonly Occurrence[] {
  const ready = conditionOf(after.conditions, 'Ready')
  if (!ready || ready.status === 'Unknown') return []
  if (before?.phase === after.phase && !isAnother(before, after)) return []
  const ended = outcome(before?.phase, after.phase, ready)
  const key = isFinding ? ready.message : ready.lastTransitionTime
  const begun = !isFinding && hasBegun(before?.phase, after.phase, ready.reason)
  return [...(begun ? [started(before)] : []), ...(ended ? [{ ...ended, key }] : [])]
}

/** A short import is over before anybody has seen it run; that of an upload begins with its first byte. */
function hasBegun(from = 'Pending', to: string, reason: string): boolean {
  if (reason === 'WaitForUserUploadTimeout') return false
  return unbegun.has(from) && begun.has(to)
}

const unbegun = new Set(['Pending', 'WaitForUserUpload', 'Failed'])
const begun = new Set(['Provisioning', 'Ready', 'Failed'])

/**
 * What was written before the attempt stays the same until it is told and written, whatever is seen of it meanwhile: a process
 * that is killed in between may find that it has ended.
 */
function started(before: Before | undefined): Occurrence {
  const source = before?.conditions?.find(({ type }) => type === 'DatasourceReady')
  return {
    reason: 'DataSourceImportStarted',
    type: 'Normal',
    message: 'the import has begun',
    key: source?.lastTransitionTime ?? '',
  }
}

function outcome(
  from: string | undefined,
  to: string,
  { reason, message }: { readonly reason: string; readonly message: string },
): Omit<Occurrence, 'key'> | null {
  if (to === 'ImageLost') return { reason: 'ImageLost', type: 'Warning', message }
  if (to === 'Failed') {
    const isLate = reason === 'WaitForUserUploadTimeout'
    return { reason: isLate ? 'UploadTimeout' : 'DataSourceImportFailed', type: 'Warning', message }
  }
  if (to !== 'Ready') return null
  return from === 'ImageLost'
    ? { reason: 'ImageRecovered', type: 'Normal', message: 'the image is there again' }
    : { reason: 'DataSourceImportCompleted', type: 'Normal', message: 'the image is ready' }
}

/** An attempt that ended as the one before did. While the service is away, its times are not known. */
function isAnother(before: Before | undefined, after: Said): boolean {
  const was = before?.conditions?.find(({ type }) => type === 'Ready')
  const is = conditionOf(after.conditions, 'Ready')
  if (!was || !is || was.status === 'Unknown' || was.reason !== is.reason) return false
  return was.lastTransitionTime !== is.lastTransitionTime
}
