import { describe, expect, test } from 'vitest'
import { Outage } from '../../../../src/errors.ts'
import { defaultMachine } from '../../../../src/sync/webhook/default-machine.ts'
import { defaultClass, machine, machineClass } from '../../../support/machine-classes.ts'
import { asked, classesOf, lasting } from './asking.ts'

const isDefault = (name: string) => machineClass(undefined, name, defaultClass)
const other = machineClass(undefined, 'other')
const named = (value: string) => ({
  outcome: 'patched',
  patch: [{ op: 'add', path: '/spec/virtualMachineClassName', value }],
})
const allowed = { outcome: 'allowed' }
const small = (name?: string) => machine({ cores: 1 }, '1Gi', name)
const large = (name?: string) => machine({ cores: 8 }, '1Gi', name)

describe('a machine that names no class', () => {
  test.each([undefined, ''])('is given the default one in place of %j', async (name) => {
    const { classes } = classesOf([other, isDefault('d')])
    expect(await defaultMachine(asked(small(name)), classes, lasting())).toEqual(named('d'))
  })

  test('stays so without a default, and with several', async () => {
    for (const stored of [[other], [isDefault('a'), isDefault('b')], []]) {
      const { classes } = classesOf(stored)
      expect(await defaultMachine(asked(small()), classes, lasting())).toEqual(allowed)
    }
  })

  test('is not given one that is on its way out', async () => {
    const { metadata, ...rest } = isDefault('old')
    const old = { ...rest, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }
    expect(await defaultMachine(asked(small()), classesOf([old]).classes, lasting())).toEqual(
      allowed,
    )
    const both = classesOf([old, isDefault('d')]).classes
    expect(await defaultMachine(asked(small()), both, lasting())).toEqual(named('d'))
  })

  test('is given the one that it had when it changes', async () => {
    const { api, classes } = classesOf([isDefault('d')])
    const changed = asked(large(''), small('had'))
    expect(await defaultMachine(changed, classes, lasting())).toEqual(named('had'))
    expect(api.asked).toEqual([])
  })

  test('is given the default one when it had none, and not by a change elsewhere', async () => {
    const { api, classes } = classesOf([isDefault('d')])
    const labelled = { ...small(), metadata: { name: 'linux-vm', labels: { a: 'b' } } }
    expect(await defaultMachine(asked(labelled, small()), classes, lasting())).toEqual(allowed)
    expect(api.asked).toEqual([])
    expect(await defaultMachine(asked(large(), small()), classes, lasting())).toEqual(named('d'))
  })

  test('is not decided upon while the API server fails', async () => {
    const { api, classes } = classesOf([])
    const failure = new Outage('CLUSTER_UNAVAILABLE', 'the API server is away')
    api.refuse(/^get/, failure)
    await expect(defaultMachine(asked(small()), classes, lasting())).rejects.toBe(failure)
  })
})

test.each<[string, Parameters<typeof asked>]>([
  ['names a class, be it there or not', [small('any')]],
  ['is on its way out', [{ ...small(), metadata: { deletionTimestamp: 'now' } }]],
  ['is deleted', [small(), small(), { operation: 'DELETE', object: null }]],
  ['has no spec', [{ kind: 'VirtualMachine' }]],
  ['names what is no name', [{ ...small(), spec: { virtualMachineClassName: 7 } as never }]],
])('a machine is left as it is when it %s', async (_what, args) => {
  const { api, classes } = classesOf([isDefault('d')])
  expect(await defaultMachine(asked(...args), classes, lasting())).toEqual(allowed)
  expect(api.asked).toEqual([])
})
