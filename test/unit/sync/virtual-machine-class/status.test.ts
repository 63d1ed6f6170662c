import { expect, test } from 'vitest'
import { z } from 'zod'
import { workOut } from '../../../../src/machine/work-out.ts'
import { said, type Others } from '../../../../src/sync/virtual-machine-class/status.ts'

const leaving = {
  metadata: {
    name: 'c',
    uid: 'u',
    resourceVersion: '1',
    deletionTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { cpu: { type: 'Host' as const } },
}
const conditionsSchema = z.array(
  z.object({
    type: z.string(),
    status: z.string(),
    reason: z.string(),
    message: z.string(),
    lastTransitionTime: z.string(),
  }),
)
const out = workOut(leaving.spec, [], { discovered: null, rediscover: null })

test.each<[string, Omit<Others, 'defaults'>, string | undefined]>([
  ['names machines', { users: ['a/vm'], trouble: null }, 'VirtualMachineClassInUse'],
  [
    'names those that are known from before',
    { users: ['a/vm'], trouble: 'away' },
    'VirtualMachineClassInUse',
  ],
  ['says that there may be some', { users: null, trouble: 'forbidden' }, 'VirtualMachinesUnknown'],
  [
    'says that there may be new ones',
    { users: [], trouble: 'forbidden' },
    'VirtualMachinesUnknown',
  ],
  ['says nothing while they are looked for', { users: null, trouble: null }, undefined],
])('a class on its way out %s', (_, others, reason) => {
  const { conditions } = said(leaving, out, { ...others, defaults: [] }, 0)
  expect(conditions.find(({ type }) => type === 'InUse')?.reason).toBe(reason)
})

test('a condition keeps its time for as long as its status and reason are the same', () => {
  const inUse = (users: readonly string[], before: readonly unknown[], now: number) =>
    said(
      { ...leaving, status: { conditions: conditionsSchema.parse(before) } },
      out,
      { users, trouble: null, defaults: [] },
      now,
    ).conditions
  const first = inUse(['a/vm'], [], 0)
  const second = inUse(['a/vm', 'b/vm'], first, 1000)
  const told = second.map(({ lastTransitionTime }) => Date.parse(lastTransitionTime))
  expect(told).toEqual(first.map(() => 0))
  expect(second.at(-1)?.message).toContain('a/vm, b/vm')
  const wrong = [{ ...second.at(-1), reason: 'Other' }]
  expect(Date.parse(inUse(['a/vm'], wrong, 2000).at(-1)?.lastTransitionTime ?? '')).toBe(2000)
})

test('of many machines the first twenty are named', () => {
  const users = Array.from({ length: 1000 }, (_, at) => `a/vm-${at}`)
  const { conditions } = said(leaving, out, { users, trouble: null, defaults: [] }, 0)
  expect(conditions.at(-1)?.message).toMatch(
    /named by 1000 virtual machine\(s\): a\/vm-0, .*, a\/vm-19 and 980 more$/,
  )
})
