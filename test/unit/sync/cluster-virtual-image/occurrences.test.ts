import { expect, test } from 'vitest'
import { occurrencesBetween } from '../../../../src/sync/cluster-virtual-image/occurrences.ts'
import type { Said } from '../../../../src/sync/cluster-virtual-image/status.ts'

function said(phase: string, reason: string = phase, time = 1): Said {
  const shared = { message: reason, observedGeneration: 1 }
  const at = (second: number) => `2026-01-01T00:00:0${second}.000Z`
  return {
    phase,
    conditions: [
      { ...shared, type: 'DatasourceReady', status: 'True', reason, lastTransitionTime: at(0) },
      {
        ...shared,
        type: 'Ready',
        status: reason === 'ServiceUnavailable' ? 'Unknown' : 'False',
        reason,
        lastTransitionTime: at(time),
      },
    ],
  }
}

const [started, completed] = ['DataSourceImportStarted', 'DataSourceImportCompleted']
const failed = 'DataSourceImportFailed'

test.each<[string, Said | undefined, Said, readonly string[]]>([
  ['that it waits', undefined, said('Pending'), []],
  ['its beginning', said('Pending'), said('Provisioning'), [started]],
  ['its end', said('Provisioning'), said('Ready'), [completed]],
  ['both of a short one', undefined, said('Ready'), [started, completed]],
  ['nothing twice', said('Ready'), said('Ready'), []],
  ['a failure', said('Provisioning'), said('Failed'), [failed]],
  ['a failure that nobody saw begin', undefined, said('Failed'), [started, failed]],
  [
    'another failure of the same kind',
    said('Failed', 'x', 1),
    said('Failed', 'x', 2),
    [started, failed],
  ],
  ['the first byte of an upload', said('WaitForUserUpload'), said('Provisioning'), [started]],
  [
    'an upload that never began',
    said('WaitForUserUpload'),
    said('Failed', 'WaitForUserUploadTimeout'),
    ['UploadTimeout'],
  ],
  ['a loss', said('Ready'), said('ImageLost'), ['ImageLost']],
  ['a recovery', said('ImageLost'), said('Ready'), ['ImageRecovered']],
  ['nothing while the service is away', said('Ready'), said('Ready', 'ServiceUnavailable'), []],
  ['nothing when it is back', said('Ready', 'ServiceUnavailable'), said('Ready', 'Ready', 3), []],
  [
    'what happened meanwhile',
    said('Ready', 'ServiceUnavailable'),
    said('ImageLost'),
    ['ImageLost'],
  ],
  ['a deletion', said('Ready'), said('Terminating'), []],
])('of an import is told: %s', (_, before, after, reasons) => {
  const occurrences = occurrencesBetween(before, after, false)
  expect(occurrences.map(({ reason }) => reason)).toEqual(reasons)
})

test('a beginning has the same key, whatever is seen of the attempt first', () => {
  const keysAfter = (before: Said | undefined) =>
    [said('Provisioning'), failing, said('Ready')].map(
      (after) => occurrencesBetween(before, after, false)[0],
    )
  const failing = said('Failed', 'Failed', 9)
  const [source] = failing.conditions
  if (source) Object.assign(source, { lastTransitionTime: '2026-01-01T00:00:09.000Z' })
  for (const before of [undefined, said('Pending'), said('Failed')]) {
    const [first, ...others] = keysAfter(before)
    expect(first?.reason).toBe(started)
    expect(others).toEqual([first, first])
  }
  expect(keysAfter(undefined)[0]?.key).not.toBe(keysAfter(said('Pending'))[0]?.key)
})

test('what the companion finds itself has the same key whenever it looks', () => {
  const [first, again] = [1, 2].map((time) =>
    occurrencesBetween(undefined, said('Failed', 'refused', time), true),
  )
  expect(first).toEqual(again)
  expect(first?.map(({ reason }) => reason)).toEqual([failed])
})
