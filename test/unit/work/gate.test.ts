import { describe, expect, test } from 'vitest'
import { Gate } from '../../../src/work/gate.ts'

const never = new AbortController().signal

describe('a gate', () => {
  test('lets as many in as it has places, then one for each that leaves, in their order', async () => {
    const gate = new Gate(2)
    const [first, second] = [await gate.enter(never), await gate.enter(never)]
    const came: number[] = []
    const others = [3, 4].map(async (name) => {
      const place = await gate.enter(never)
      came.push(name)
      return place
    })
    await Promise.resolve()
    expect(came).toEqual([])
    first[Symbol.dispose]()
    // Given back once, whoever says it twice.
    first[Symbol.dispose]()
    await others[0]
    expect(came).toEqual([3])
    second[Symbol.dispose]()
    await others[1]
    expect(came).toEqual([3, 4])
  })

  test('forgets whoever gives up', async () => {
    const gate = new Gate(1)
    const held = await gate.enter(never)
    const leaving = new AbortController()
    const waits = gate.enter(leaving.signal)
    const next = gate.enter(never)
    leaving.abort(new Error('enough'))
    await expect(waits).rejects.toThrow('enough')
    held[Symbol.dispose]()
    await next
    await expect(gate.enter(leaving.signal)).rejects.toThrow('enough')
  })
})
