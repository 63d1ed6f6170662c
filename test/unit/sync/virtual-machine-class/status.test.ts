import { expect, test } from 'vitest'
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
