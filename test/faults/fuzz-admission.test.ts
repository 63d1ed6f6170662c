import { expect } from 'vitest'
import { z } from 'zod'
import { broken, noObjects, odd } from '../support/fuzz/bad-json.ts'
import { inParallel } from '../support/fuzz/in-parallel.ts'
import { mutated } from '../support/fuzz/values.ts'
import { defaultClass, guidePolicies, machine, machineClass } from '../support/machine-classes.ts'
import type { Random } from '../support/random.ts'
import { certify } from '../unit/source/certificates.ts'
import { open, reviewOf } from '../unit/sync/webhook/open.ts'
import { tryOut } from './trial.ts'

/** Of one round. */
const reviews = 500
/** At the same time. */
const senders = 8

const paths = [
  'validate-virtualmachineclasses',
  'default-virtualmachines',
  'validate-virtualmachines',
] as const
const stored = machineClass(guidePolicies, 'c', defaultClass)
const fitting = machine({ cores: 2, coreFraction: '10%' }, '2Gi', 'c')
const unfitting = machine({ cores: 2, coreFraction: '7%' }, '2Gi', 'c')
const reviewed = [
  reviewOf(fitting),
  reviewOf(machine({ cores: 1 })),
  reviewOf(machine({ cores: 7 }, '9.5Gi', 'c'), fitting),
  reviewOf(machineClass(guidePolicies, 'b')),
  reviewOf(stored, machineClass(guidePolicies, 'c')),
  reviewOf(machineClass([{ cores: { min: 4, max: 1 } }], 'd')),
] as const

tryOut('fuzz-admission', async (trial) => {
  const certificates = await certify('IP:127.0.0.1')
  await using opened = await open(certificates, { stored: [stored] })
  for (const { random } of trial.rounds()) {
    const asked = Array.from({ length: reviews }, () => reviewAt(random))
    await inParallel(senders, asked, async ({ path, body, isJson }) => {
      const { status, text } = await opened.send(`/${path}`, body)
      const told = `/${path} ${body.toString().slice(0, 1000)}: ${status} ${text.slice(0, 500)}`
      expect(isJson ? [200, 400] : [400], told).toContain(status)
      expect(text.length, told).toBeLessThan(100_000)
      trial.tried += 1
      const decision = status === 200 ? decisionIn(text, told) : 'turned away'
      trial.note(decision)
    })
    await expectSound(opened)
    // What is wrong with a review is never the companion's own mistake.
    expect(opened.lines.filter(({ level }) => level >= 50)).toEqual([])
    opened.lines.length = 0
  }
})

/** The API server writes UTF-8; what is not is read as far as it can be, and no review names anything by it. */
const encodings = new Set(['a byte order mark', 'bytes that are no UTF-8'])

/** A review, or what is none. */
function reviewAt(random: Random) {
  const path = random.pick(paths)
  const whole = random.pick(reviewed)
  const dice = random.below(10)
  if (dice === 0) {
    const body = Buffer.from(noObjects[random.below(noObjects.length)] ?? '')
    return { path, body, isJson: false }
  }
  if (dice < 3) {
    const { of, isJson, what } = random.pick(dice === 1 ? broken : odd)
    const body = Buffer.from(of(JSON.stringify(whole), random))
    return { path, body, isJson: isJson || encodings.has(what) }
  }
  let value: unknown = whole
  for (let left = random.pick([1, 1, 2, 3]); left > 0; left -= 1) value = mutated(value, random)
  return { path, body: Buffer.from(JSON.stringify(value)), isJson: true }
}

const responseSchema = z.union([
  z.strictObject({ uid: z.string().min(1), allowed: z.literal(true) }),
  z.strictObject({
    uid: z.string().min(1),
    allowed: z.literal(true),
    patchType: z.literal('JSONPatch'),
    patch: z.base64(),
  }),
  z.strictObject({
    uid: z.string().min(1),
    allowed: z.literal(false),
    status: z.looseObject({ code: z.literal(422), message: z.string().min(1) }),
  }),
])
const answerSchema = z.strictObject({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  response: responseSchema,
})
const patchSchema = z.array(
  z.strictObject({ op: z.literal('add'), path: z.string().startsWith('/spec'), value: z.string() }),
)

function decisionIn(text: string, told: string): string {
  const read = answerSchema.safeParse(JSON.parse(text))
  expect(read.success, told).toBe(true)
  const response = read.data?.response
  if (response && 'patch' in response) {
    patchSchema.parse(JSON.parse(Buffer.from(response.patch, 'base64').toString()))
    return 'patched'
  }
  return response?.allowed === true ? 'allowed' : 'denied'
}

/** What fits is allowed still, and what does not is not. */
async function expectSound(opened: Awaited<ReturnType<typeof open>>): Promise<void> {
  for (const [object, allowed] of [
    [fitting, true],
    [unfitting, false],
  ] as const) {
    const { status, text } = await opened.review('/validate-virtualmachines', object)
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({ response: { allowed } })
  }
}
