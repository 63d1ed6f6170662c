import { describe, expect, test } from 'vitest'
import { runModel } from '../support/model.ts'
import { startService } from '../support/service.ts'

const seed = 20_267

describe(`eight clients at random (seed ${seed})`, () => {
  test('find what was acknowledged, and leave nothing', async () => {
    await using service = await startService()
    const left = await runModel({
      service,
      seed,
      operations: 600,
      between: 600,
      disturb: async () => {
        await service.kill()
        await service.start()
      },
    })
    const { staged, sessions, references, records } = left
    expect({ staged, sessions, references, records }).toEqual({
      staged: [],
      sessions: 0,
      references: 0,
      records: [],
    })
    // What a refused manifest had announced is kept for some minutes more, for nobody to read.
    expect(new Set(left.leases)).toEqual(new Set(left.leases.length > 0 ? ['null'] : []))
    expect(left.rows.length).toBeLessThanOrEqual(left.leases.length)
    expect(left.files.every((digest) => left.rows.includes(digest))).toBe(true)
  })
})
