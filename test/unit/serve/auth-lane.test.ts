import { expect, test } from 'vitest'
import { Lane } from '../../../src/serve/auth/lane.ts'

test('nobody waits in a lane for longer than it says', async () => {
  const lane = new Lane<string>({ places: 1, waiting: 1, patience: 1 })
  const { promise, resolve } = Promise.withResolvers<string>()
  const slow = lane.run('slow', () => promise)
  await expect(lane.run('late', () => Promise.resolve('late'))).rejects.toMatchObject({
    code: 'TOO_MANY_REQUESTS',
  })
  resolve('done')
  expect(await slow).toBe('done')
  expect(await lane.run('late', () => Promise.resolve('late'))).toBe('late')
})
