import { describe, expect, test } from 'vitest'
import { InTurn } from '../../../src/store/in-turn.ts'

describe('work in turn', () => {
  test('runs one after the other for one key, in the order of the calls', async () => {
    const inTurn = new InTurn()
    const seen: string[] = []
    const gates = ['a', 'b', 'c'].map((name) => ({ name, gate: Promise.withResolvers<void>() }))
    const all = gates.map(({ name, gate }) =>
      inTurn.run('key', async () => {
        seen.push(`${name} begins`)
        await gate.promise
        seen.push(`${name} ends`)
      }),
    )
    for (const { gate } of gates.toReversed()) gate.resolve()
    await Promise.all(all)
    expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  })

  test('waits for nobody with another key', async () => {
    const inTurn = new InTurn()
    const { promise, resolve } = Promise.withResolvers<void>()
    const first = inTurn.run('one', () => promise)
    expect(await inTurn.run('two', () => Promise.resolve(2))).toBe(2)
    resolve()
    await first
  })

  test('goes on behind one that fails, which fails alone', async () => {
    const inTurn = new InTurn()
    const failed = inTurn.run('key', () => Promise.reject(new Error('no')))
    const next = inTurn.run('key', () => Promise.resolve('yes'))
    await expect(failed).rejects.toThrow('no')
    expect(await next).toBe('yes')
  })
})
