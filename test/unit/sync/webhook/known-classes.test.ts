import { expect, test } from 'vitest'
import { Outage } from '../../../../src/errors.ts'
import type { Query } from '../../../../src/kube/cluster-api.ts'
import { KnownClasses } from '../../../../src/sync/webhook/known-classes.ts'
import { machineClass } from '../../../support/machine-classes.ts'
import { classesOf, lasting, putClass } from './asking.ts'

const resources = { items: () => [], isSynced: false }
const item = (name: string) => ({ metadata: { name }, spec: {} })

test('classes are listed page by page', async () => {
  const asked: unknown[] = []
  const api = {
    get: async (path: string, query: { readonly [name: string]: string }) => {
      asked.push([path, query])
      const next = query['continue']
      return next
        ? { metadata: {}, items: [item('b')] }
        : { metadata: { continue: 'more' }, items: [item('a')] }
    },
  }
  const classes = new KnownClasses({ api, resources })
  expect(await classes.names(lasting())).toEqual(['a', 'b'])
  const path = '/apis/virtualization.deckhouse.io/v1alpha2/virtualmachineclasses'
  expect(asked).toEqual([
    [path, { limit: '100' }],
    [path, { limit: '100', continue: 'more' }],
  ])
})

test('classes that are too large for a page are listed in smaller ones, from then on', async () => {
  const asked: string[] = []
  const api = {
    get: async (_path: string, { limit = '', continue: from = '0' }: Query) => {
      asked.push(`${limit} from ${from}`)
      if (Number(limit) > 30) throw new Outage('CLUSTER_TOO_LARGE', 'more than is read')
      const to = Math.min(Number(from) + Number(limit), 40)
      const items = Array.from({ length: to - Number(from) }, (_, at) =>
        item(`c${Number(from) + at}`),
      )
      return { metadata: to < 40 ? { continue: String(to) } : {}, items }
    },
  }
  const classes = new KnownClasses({ api, resources })
  const names = Array.from({ length: 40 }, (_, at) => `c${at}`)
  expect(await classes.names(lasting())).toEqual(names)
  expect(asked.splice(0)).toEqual(['100 from 0', '50 from 0', '25 from 0', '25 from 25'])
  expect(await classes.names(lasting())).toEqual(names)
  expect(asked).toEqual(['25 from 0', '25 from 25'])
})

test('a class that is too large by itself is an outage', async () => {
  const outage = { code: 'CLUSTER_TOO_LARGE' }
  const get = async () => {
    throw new Outage('CLUSTER_TOO_LARGE', 'more than is read')
  }
  await expect(new KnownClasses({ api: { get }, resources }).all(lasting())).rejects.toMatchObject(
    outage,
  )
})

test('an answer that is no class is an outage', async () => {
  const classes = new KnownClasses({ api: { get: async () => ({ kind: 'Status' }) }, resources })
  const outage = { code: 'CLUSTER_UNAVAILABLE' }
  await expect(classes.read('c', lasting())).rejects.toMatchObject(outage)
  await expect(classes.all(lasting())).rejects.toMatchObject(outage)
})

test('many who ask at once are given few lists, none of which began before they asked', async () => {
  const { api, classes } = classesOf([machineClass(undefined, 'a')])
  const first = classes.all(lasting())
  await expect.poll(() => api.asked.length).toBe(1)
  putClass(api, machineClass(undefined, 'b'))
  const later = Array.from({ length: 50 }, () => classes.all(lasting()))
  for (const all of await Promise.all(later)) expect(all).toHaveLength(2)
  await first
  expect(api.asked).toHaveLength(2)
  expect(await classes.all(lasting())).toHaveLength(2)
  expect(api.asked).toHaveLength(3)
})

test('a list that fails is asked for again, and one who waits no more is let go', async () => {
  const { api, classes } = classesOf([machineClass()])
  const failure = new Outage('CLUSTER_UNAVAILABLE', 'away')
  const back = api.refuse(/^get/, failure)
  await expect(classes.all(lasting())).rejects.toBe(failure)
  back()
  expect(await classes.all(lasting())).toHaveLength(1)
  const reason = new Error('enough')
  await expect(classes.all(AbortSignal.abort(reason))).rejects.toBe(reason)
})
