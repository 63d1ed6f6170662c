import { expect, test } from 'vitest'
import { allowed, answerTo, verdictOf } from '../../../../src/sync/webhook/review.ts'
import { machine } from '../../../support/machine-classes.ts'
import { asked } from './asking.ts'

const review = asked(machine({ cores: 1 }))
const head = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }
const cause = (field: string, message: string) => {
  return { code: 'CLASS_INVALID', field, message, told: `${field}: ${message}` }
}

test('what is allowed is answered by the uid alone', () => {
  expect(answerTo(review, allowed)).toEqual({ ...head, response: { uid: 'b2b6', allowed: true } })
  expect(verdictOf([])).toEqual(allowed)
})

test('what is refused is answered as the API server answers what is invalid', () => {
  const verdict = verdictOf([cause('spec.a', 'must be 1'), cause('spec.b', 'must be 2')])
  expect(answerTo(review, verdict)).toEqual({
    ...head,
    response: {
      uid: 'b2b6',
      allowed: false,
      status: {
        code: 422,
        reason: 'Invalid',
        message: 'spec.a: must be 1; spec.b: must be 2',
        details: {
          kind: 'VirtualMachine',
          name: 'linux-vm',
          causes: [
            { reason: 'FieldValueInvalid', field: 'spec.a', message: 'must be 1' },
            { reason: 'FieldValueInvalid', field: 'spec.b', message: 'must be 2' },
          ],
        },
      },
    },
  })
})

test('what is patched is answered by a JSON Patch', () => {
  const patch = [{ op: 'add', path: '/spec/a', value: 'b' }] as const
  expect(answerTo(review, { outcome: 'patched', patch })).toEqual({
    ...head,
    response: {
      uid: 'b2b6',
      allowed: true,
      patchType: 'JSONPatch',
      patch: Buffer.from('[{"op":"add","path":"/spec/a","value":"b"}]').toString('base64'),
    },
  })
})

test('a refusal is no longer than what is read of it', () => {
  const causes = Array.from({ length: 1000 }, (_, at) => cause(`spec.${at}`, 'x'.repeat(20_000)))
  const text = JSON.stringify(answerTo(review, verdictOf(causes)))
  expect(text.length).toBeLessThan(2 * 1024 ** 2)
})

test('a name that was generated is told', () => {
  const generated = asked(machine({ cores: 1 }), null, { name: '' })
  const answer = answerTo(generated, verdictOf([cause('spec.a', 'must be 1')]))
  expect(answer).toMatchObject({ response: { status: { details: { name: 'linux-vm' } } } })
})
