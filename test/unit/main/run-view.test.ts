import { expect, test } from 'vitest'
import type { StorageRun } from '../../../src/client/storage-runs.ts'
import { ProgressBar } from '../../../src/main/progress-bar.ts'
import { RunView } from '../../../src/main/run-view.ts'
import { Screen } from '../../support/screen.ts'

function scrubbing(phase: string, bytes: number): StorageRun {
  const progress = { phase, bytes, bytesInAll: 2 ** 30 }
  return { id: 'a', kind: 'scrub', state: 'running', options: {}, progress, message: '' }
}

function viewOn(screen: Screen): RunView {
  return new RunView({ kind: 'scrub' }, new ProgressBar(screen, () => screen.time))
}

test('tells each phase at once where nobody sees a bar move, and how far it is now and then', () => {
  const screen = new Screen(false, 0)
  using view = viewOn(screen)
  view.show(scrubbing('counting', 0))
  view.show(scrubbing('reading', 2 ** 28))
  view.show(scrubbing('reading', 2 ** 29))
  screen.time += 60_000
  view.show(scrubbing('reading', 2 ** 29))
  expect(screen.written.split('\n')).toEqual([
    '0% scrub: phase counting, bytes in all 1Gi',
    '25% scrub: phase reading, bytes 256Mi, bytes in all 1Gi',
    '50% scrub: phase reading, bytes 512Mi, bytes in all 1Gi',
    '',
  ])
})

test('is a bar that takes no more of a terminal than its width, whatever a service says', () => {
  const screen = new Screen(true, 100)
  using view = viewOn(screen)
  view.show(scrubbing('reading\u001B[2J', 2 ** 29))
  const text = '50% scrub: phase reading\uFFFD[2J, bytes 512Mi, bytes in all 1Gi'
  expect(screen.written).toBe(`\r\u001B[J[${'='.repeat(15).padEnd(30)}] ${text}\r`)
  expect(screen.resize(20)).toBe(`\r\u001B[J${text.slice(0, 19)}\r`)
})
