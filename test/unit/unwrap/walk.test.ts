import { expect, test } from 'vitest'
import { pass, see, Walk } from '../../../src/unwrap/walk.ts'

test('a walk needs no memory of bytes that it has passed over', () => {
  const seen: string[] = []
  const walk = new Walk(function* () {
    for (;;) {
      seen.push((yield* see(4)).toString())
      yield* pass(4)
    }
  })
  const memory = new ArrayBuffer(8)
  const first = Buffer.from(memory)
  first.write('headdata')
  walk.advance(first)
  // As whoever writes the bytes does when they are written.
  memory.transfer(0)
  walk.advance(Buffer.from('tail'))
  expect(seen).toEqual(['head', 'tail'])
})
