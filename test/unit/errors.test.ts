import { describe, expect, test } from 'vitest'
import { asFailure, errno, Refusal } from '../../src/errors.ts'

const unknown = (number: number) =>
  Object.assign(new Error(`Unknown system error -${number}, write`), {
    code: `Unknown system error -${number}`,
    errno: -number,
  })

describe('a failure', () => {
  test.runIf(process.platform === 'linux').each([
    [122, 'EDQUOT', 'STORAGE_FULL'],
    [116, 'ESTALE', 'STORAGE_UNAVAILABLE'],
    [117, 'EUCLEAN', 'STORAGE_UNAVAILABLE'],
  ])('of the disk that libuv has no name for is known by its number (%i)', (number, name, code) => {
    expect(errno(unknown(number))).toBe(name)
    expect(asFailure(unknown(number)).code).toBe(code)
  })

  test('is what went wrong first, though something could not be closed after it', () => {
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' })
    const left = Object.assign(new Error('read-only'), { code: 'EROFS' })
    expect(asFailure(new SuppressedError(left, full))).toMatchObject({ code: 'STORAGE_FULL' })
    const refusal = new Refusal('TOO_LARGE', 'too large')
    const both = new SuppressedError(left, refusal)
    expect(asFailure(both)).toMatchObject({ code: 'TOO_LARGE', message: 'too large', cause: both })
    expect(asFailure(new SuppressedError(left, new Error('?'))).code).toBe('INTERNAL')
  })
})
