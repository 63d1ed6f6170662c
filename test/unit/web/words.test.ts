import { describe, expect, test } from 'vitest'
import { factsOf } from '../../../src/serve/web/browser/details.js'
import {
  age,
  movement,
  percent,
  phaseOf,
  sentence,
  size,
  span,
  trouble,
  until,
} from '../../../src/serve/web/browser/words.js'
import { failedOf, imageOf, statusOf } from './images.ts'

const now = Date.parse('2026-01-10T00:00:00.000Z')
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString()

describe('words', () => {
  test.each([
    [undefined, '–'],
    ['0', '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    ['2361393152', '2.2 GiB'],
    [200 * 1024 ** 2, '200 MiB'],
  ])('of the size %s', (bytes, text) => {
    expect(size(bytes)).toBe(text)
  })

  test.each([
    [-60, 'just now'],
    [59, 'just now'],
    [60, '1 min. ago'],
    [3600, '1 hr. ago'],
    [2 * 86_400, '2 days ago'],
    [70 * 86_400, '2 mo. ago'],
    [800 * 86_400, '2 yr. ago'],
  ])('of an age of %d seconds', (seconds, text) => {
    expect(age(ago(seconds), now)).toBe(text)
  })

  test('of an age that strangers wrote', () => {
    expect(age('yesterday, or so', now)).toBe('at some time')
  })

  test.each([
    [-600, 'in 10 min 0 s'],
    [-4, 'in 4 s'],
    [0, 'now'],
    [5, 'now'],
  ])('of what comes %d seconds ago', (seconds, text) => {
    expect(until(ago(seconds), now)).toBe(text)
  })

  test.each([
    [0.2, '1 s'],
    [59, '59 s'],
    [119.7, '2 min 0 s'],
    [80, '1 min 20 s'],
    [3599.8, '1 h 0 min'],
    [5400, '1 h 30 min'],
  ])('of a span of %d seconds', (seconds, text) => {
    expect(span(seconds)).toBe(text)
  })

  test('of what comes in', () => {
    const downloadSpeed = { avg: '', avgBytes: '1', current: '', currentBytes: '1048576' }
    const status = statusOf({ phase: 'Provisioning', downloadSpeed, receivedBytes: '2048' })
    expect(percent(status)).toBe(null)
    expect(movement(status)).toBe('2.0 KiB so far, 1.0 MiB/s')
    const known = { ...status, progress: '42.5%', remainingSeconds: 80 }
    expect(movement(known)).toBe('42.5%, 1.0 MiB/s, 1 min 20 s left')
  })

  test('of a phase tell apart what moves and what waits to be tried again', () => {
    const status = statusOf({ phase: 'Provisioning' })
    expect(phaseOf(status).text).toBe('Coming in')
    expect(phaseOf({ ...status, nextRetryAt: ago(0) }).text).toBe('Waits to try again')
    const upload = { offset: '5', resumeCommand: 'curl' }
    expect(phaseOf({ ...status, upload }).text).toBe('Waits for the rest of its file')
  })

  test('of trouble say the same once, as sentences', () => {
    const status = failedOf('ProvisioningFailedTerminally', 'no such file; check the URL')
    const twice = { ...status, conditions: status.conditions.flatMap((each) => [each, each]) }
    expect(trouble(imageOf('a', { status: twice }))).toBe('No such file; check the URL.')
    expect(trouble(imageOf('a'))).toBe('')
    expect(sentence('')).toBe('')
  })

  test.each([
    ['the service does not answer; is it up?', 'The service does not answer; is it up?'],
    ["the source's end is missing", "The source's end is missing."],
    ['md5 of the source is another one', 'md5 of the source is another one.'],
    ['https://a.example/x.img answered 404', 'https://a.example/x.img answered 404.'],
    ['a', 'A.'],
  ])('of the service are a sentence: %s', (text, told) => {
    expect(sentence(text)).toBe(told)
  })

  test('of what broke off tell no speed', () => {
    const downloadSpeed = { avg: '', avgBytes: '1', current: '', currentBytes: '1048576' }
    const upload = { offset: '5', resumeCommand: 'curl' }
    const moved = { progress: '42.5%', downloadSpeed, remainingSeconds: 80 }
    expect(movement(statusOf({ phase: 'Provisioning', ...moved, upload }))).toBe('42.5%')
  })
})

describe('details', () => {
  test('are read as they are told', () => {
    const details = {
      clusterSize: 65_536,
      lazyRefcounts: false,
      version: 3,
      volumeId: 'Ubuntu',
      warnings: ['one', 'two'],
      partitions: [{ type: 'Linux', size: 1_048_576 }],
    }
    expect(factsOf(details)).toEqual([
      ['Cluster size', '64.0 KiB'],
      ['Lazy refcounts', 'no'],
      ['Version', '3'],
      ['Volume name', 'Ubuntu'],
      ['Warnings', 'one; two'],
      ['Partitions', 'type Linux, size 1.0 MiB'],
    ])
    expect(factsOf()).toEqual([])
  })
})
