import { expect, test } from 'vitest'
import { adviceOf } from '../../../../src/main/images/advice.ts'
import { detailsOf } from '../../../../src/main/images/details.ts'
import { movementOf, rowOf } from '../../../../src/main/images/row.ts'
import { jsonOf } from '../../../../src/main/images/shown.ts'
import { shownImage, trouble } from '../../../support/shown-image.ts'

const now = Date.parse('2026-01-01T03:20:00.000Z')
const size = { stored: '286Mi', storedBytes: '1', unpacked: '2.2Gi', unpackedBytes: '2' }

test('a row tells how far an import is', () => {
  const moving = shownImage('ubuntu', { phase: 'Provisioning', progress: '42.5%' })
  expect(rowOf(moving, now)).toEqual(['ubuntu', 'Provisioning 42.5%', '-', '-', '-', '3h20m'])
  const ready = shownImage('ubuntu', { progress: '100%', format: 'qcow2', size })
  expect(rowOf(ready, now)).toEqual(['ubuntu', 'Ready', 'qcow2', '2.2Gi', '286Mi', '3h20m'])
})

test('what is the matter and what to do come before everything else', () => {
  const conditions = [trouble('ProvisioningFailedTerminally', 'the source answered \u001B[1m404')]
  const lines = detailsOf(shownImage('ubuntu', { phase: 'Failed', conditions }), now).split('\n')
  expect(lines.slice(0, 4)).toEqual([
    expect.stringMatching(/^name +ubuntu$/),
    expect.stringMatching(/^phase +Failed$/),
    expect.stringMatching(/^trouble +the source answered \uFFFD\[1m404$/),
    expect.stringMatching(/^to do +mend the cause, then slipway images retry ubuntu;/),
  ])
  expect(lines).toContainEqual(
    expect.stringMatching(/^from +HTTP https:\/\/example.com\/disk.img$/),
  )
})

test.each([
  [{ phase: 'Ready' }, 'skopeo copy docker://registry.example.com/cvi/x:latest'],
  [{ phase: 'WaitForUserUpload', uploadCommand: 'curl U -T f' }, 'upload FILE x, or curl U -T f'],
  [
    { phase: 'Provisioning', upload: { offset: '1', resumeCommand: 'curl -C 1' } },
    'upload FILE x, or curl -C 1',
  ],
  [{ phase: 'ImageLost' }, 'fetch it again: slipway images retry x'],
])('%o: %s', (status, advice) => {
  expect(adviceOf(shownImage('x', status))).toContain(advice)
})

test('who may not write is told of no command, and a running import needs none', () => {
  expect(adviceOf(shownImage('x', { phase: 'WaitForUserUpload' }))).toBeNull()
  expect(adviceOf(shownImage('x', { phase: 'Provisioning' }))).toBeNull()
})

test('JSON says the same without a character that a terminal would obey', () => {
  const image = shownImage('x', { details: { volume: 'a\u009B2J\u202Eb\u001Bc' } })
  const text = jsonOf(image)
  expect(text).not.toMatch(/[\p{Cc}\u202E]/u)
  expect(JSON.parse(text)).toEqual(image)
})

test('a transfer tells its speed and what remains', () => {
  const downloadSpeed = { avg: '1Mi', avgBytes: '1', current: '84Mi', currentBytes: '2' }
  const moving = { phase: 'Provisioning', progress: '4%', downloadSpeed, remaining: '1m20s' }
  expect(movementOf(shownImage('x', moving).status)).toBe('84Mi/s, 1m20s left')
  const waiting = { phase: 'Provisioning', nextRetryAt: '2026-01-01T00:00:00.000Z' }
  expect(movementOf(shownImage('x', waiting).status)).toBe('waits to try again')
})
