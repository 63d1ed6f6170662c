import { expect, test } from 'vitest'
import { Outage } from '../../../../src/errors.ts'
import type { Query } from '../../../../src/kube/cluster-api.ts'
import { KnownClasses } from '../../../../src/sync/webhook/known-classes.ts'
import { lasting } from './asking.ts'

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
