import { describe, expect, test } from 'vitest'
import { BufferPool } from '../../../../src/store/s3/buffer-pool.ts'

const signal = new AbortController().signal

describe('memory for parts', () => {
  test('is not given to senders beyond three quarters', () => {
    const pool = new BufferPool(4000)
    expect([pool.take(1000), pool.take(1000), pool.take(1000)]).not.toContain(null)
    expect(pool.take(1)).toBeNull()
    expect(pool.used).toBe(3000)
  })

  test('is there for bytes that only have to go out, in the order in which they asked', async () => {
    const pool = new BufferPool(4000)
    const held = [pool.take(1000), pool.take(1000), pool.take(1000)]
    const out = await pool.wait(1000, signal)
    const order: string[] = []
    const large = pool.wait(2000, signal).then(() => order.push('large'))
    const small = pool.wait(500, signal).then(() => order.push('small'))
    pool.give(out)
    await Promise.resolve()
    expect(order).toEqual([])
    for (const buffer of held) if (buffer) pool.give(buffer)
    await Promise.all([large, small])
    expect(order).toEqual(['large', 'small'])
  })

  test('lets those go who are told not to wait any longer, and serves the next', async () => {
    const pool = new BufferPool(1000)
    const held = await pool.wait(1000, signal)
    const impatient = new AbortController()
    const gone = pool.wait(1000, impatient.signal)
    const next = pool.wait(600, signal)
    impatient.abort(new Error('enough'))
    await expect(gone).rejects.toThrow('enough')
    pool.give(held)
    expect(await next).toHaveLength(600)
    expect(pool.used).toBe(600)
  })

  test('is used again, and taken from those who have their bytes elsewhere', () => {
    const pool = new BufferPool(1000)
    const first = pool.take(700)
    if (!first) throw new Error('there was room')
    let taken = 0
    pool.offer(first, () => (taken += 1))
    expect(pool.keep(first)).toBe(true)
    expect(pool.take(700)).toBeNull()
    pool.offer(first, () => (taken += 1))
    expect(pool.take(700)).toBe(first)
    expect(taken).toBe(1)
    expect(pool.keep(first)).toBe(false)
  })

  test('goes back to the system when another size needs the room', () => {
    const pool = new BufferPool(1000)
    const first = pool.take(700)
    if (!first) throw new Error('there was room')
    pool.give(first)
    expect(pool.take(600)).toHaveLength(600)
    expect(first).toHaveLength(0)
  })
})
