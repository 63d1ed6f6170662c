import { describe, expect, test } from 'vitest'
import { together } from '../../../src/sync/together.ts'

/** Ends with its signal, and says so. */
function lasting(ended: string[], name: string) {
  return async (signal: AbortSignal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    ended.push(name)
  }
}

describe('works together', () => {
  test('end with their signal', async () => {
    const ended: string[] = []
    const stop = new AbortController()
    const all = together([lasting(ended, 'a'), lasting(ended, 'b')], stop.signal)
    stop.abort()
    await all
    expect(ended).toEqual(['a', 'b'])
  })

  test('end when one of them fails, before that is told', async () => {
    const ended: string[] = []
    const broken = () => Promise.reject(new Error('broken'))
    const all = together([lasting(ended, 'a'), broken], new AbortController().signal)
    await expect(all).rejects.toThrow('broken')
    expect(ended).toEqual(['a'])
  })
})
