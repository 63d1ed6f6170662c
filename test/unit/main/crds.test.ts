import { expect, test } from 'vitest'
import { Refusal } from '../../../src/errors.ts'
import { command } from '../../../src/main/crds.ts'

test.each([[['machines']], [['clustervirtualimages', 'machines']]])(
  'slipway crds %j is refused with the names that there are',
  async (operands) => {
    const asked = command.run(operands, {})
    await expect(asked).rejects.toThrow(Refusal)
    await expect(asked).rejects.toThrow(
      'name one of clustervirtualimages, virtualmachineclasses, or none',
    )
  },
)
