import { pino } from 'pino'
import { expect, test } from 'vitest'
import { Journeys, type Ended, type Observer } from '../../../src/work/journeys.ts'

const image = { image: 'a', uid: 'uid-a', source: 'HTTP', attempt: 1 } as const

function journeysWith(...observers: readonly Observer[]) {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const ended: Ended[] = []
  let time = 1000
  const journeys = new Journeys({ now: () => time++, log })
  for (const observer of observers) journeys.observe(observer)
  journeys.observe({ ended: (end) => void ended.push(end) })
  return { journeys, ended, lines }
}

test('an attempt is told with its outcome, its bytes and the stages that it was in', async () => {
  const { journeys, ended } = journeysWith()
  const result = await journeys.run(image, async (journey) => {
    journey.came(3)
    journey.came(4)
    await journey.during('fetch', () => Promise.resolve())
    journey.conclude({ outcome: 'ready', digest: 'sha256:1' })
    return 5
  })
  expect(result).toBe(5)
  const told = {
    outcome: 'ready',
    digest: 'sha256:1',
    code: null,
    bytes: 7,
    at: 1000,
    endedAt: 1001,
  }
  expect(ended).toMatchObject([{ ...image, ...told }])
  expect(Object.keys(ended[0]?.stages ?? {})).toEqual(['fetch'])
})

test('an attempt of which nobody says how it ended was stopped', async () => {
  const { journeys, ended } = journeysWith()
  const failed = journeys.run(image, () => Promise.reject(new Error('gone')))
  await expect(failed).rejects.toThrow('gone')
  expect(ended).toMatchObject([{ outcome: 'stopped', bytes: 0, stages: {} }])
})

test('an attempt runs within what its observers put around it', async () => {
  const told: string[] = []
  const named = (name: string): Observer => ({
    async around(_begun, run) {
      told.push(`${name} begins`)
      const result = await run()
      told.push(`${name} ends`)
      return result
    },
    came: (_begun, bytes) => void told.push(`${name} hears of ${bytes}`),
  })
  const { journeys } = journeysWith(named('one'), named('two'))
  await journeys.run(image, (journey) => Promise.resolve(journey.came(1)))
  const bytes = ['one hears of 1', 'two hears of 1']
  expect(told).toEqual(['two begins', 'one begins', ...bytes, 'one ends', 'two ends'])
})

test('an observer that fails at the end harms neither the attempt nor other observers', async () => {
  const fails = () => {
    throw new Error('no room for it')
  }
  const { journeys, ended, lines } = journeysWith({ ended: fails })
  expect(await journeys.run(image, () => Promise.resolve(1))).toBe(1)
  expect(ended).toHaveLength(1)
  expect(lines.join('')).toContain('no room for it')
})
