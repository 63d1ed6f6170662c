import { expect, test } from 'vitest'
import { ProgressBar } from '../../../src/main/progress-bar.ts'
import { Speed } from '../../../src/main/speed.ts'
import { Screen } from '../../support/screen.ts'

/** A bar on it, which is drawn again whenever it is told to. */
function barOn(screen: Screen): ProgressBar {
  const bar = new ProgressBar(screen, () => (screen.time += 60_000))
  bar.show(0.5, '512Mi of 1Gi')
  return bar
}

test('takes no more of a terminal than its width', () => {
  const screen = new Screen(true, 80)
  using bar = barOn(screen)
  expect(screen.written).toBe(`\r\u001B[J[${'='.repeat(15).padEnd(30)}] 50% 512Mi of 1Gi\r`)
  expect(screen.resize(40)).toBe(`\r\u001B[J[${'='.repeat(9).padEnd(18)}] 50% 512Mi of 1Gi\r`)
  expect(screen.resize(20)).toBe('\r\u001B[J50% 512Mi of 1Gi\r')
  expect(screen.resize(10)).toBe('\r\u001B[J50% 512Mi\r')
  bar.say('done')
  expect(screen.resize(80)).toBe('')
})

test('a line that stays comes in the place of the bar', () => {
  const screen = new Screen(true, 80)
  const bar = barOn(screen)
  screen.written = ''
  bar.say('done')
  bar[Symbol.dispose]()
  expect(screen.written).toBe('\r\u001B[Jdone\n')
})

test('is plain lines where nobody sees a bar move', () => {
  const screen = new Screen(false, 0)
  using bar = barOn(screen)
  bar.show(null, 'word')
  expect(screen.written).toBe('50% 512Mi of 1Gi\nword\n')
})

test('a speed is that of the last seconds, and tells what is left', () => {
  let time = 0
  const speed = new Speed(() => time)
  speed.saw(0)
  expect(speed.told(0, 4096)).toBe('0B of 4Ki')
  time += 1000
  speed.saw(1024)
  expect(speed.told(1024, 4096)).toBe('1Ki of 4Ki, 1Ki/s, 3s left')
  expect(speed.told(1024, null)).toBe('1Ki, 1Ki/s')
  for (let seconds = 0; seconds < 20; seconds += 1) {
    time += 1000
    speed.saw(1024)
  }
  expect(speed.told(1024, 4096)).toBe('1Ki of 4Ki, 0B/s')
  speed.saw(512)
  expect(speed.perSecond).toBe(null)
})
