import { expect, test } from 'vitest'
import { Images } from '../../../src/serve/web/browser/images.js'
import { imageOf, statusOf } from './images.ts'

const unasked = { open: () => Promise.reject(new Error('nothing is asked for')) }

test('an answer that its events have overtaken changes nothing', () => {
  let changes = 0
  const images = new Images(
    unasked,
    () => (changes += 1),
    () => expect.unreachable(),
  )
  const ready = imageOf('a')
  images.learn(ready)
  images.learn(imageOf('a', { status: statusOf({ phase: 'Pending' }) }))
  expect(images.get('a')).toBe(ready)
  expect(changes).toBe(1)
  const next = imageOf('a', { uid: 'another' })
  images.learn(next)
  expect(images.get('a')).toBe(next)
})
