import { expect, test } from 'vitest'
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

test('an answer that is no class is an outage', async () => {
  const classes = new KnownClasses({ api: { get: async () => ({ kind: 'Status' }) }, resources })
  const outage = { code: 'CLUSTER_UNAVAILABLE' }
  await expect(classes.read('c', lasting())).rejects.toMatchObject(outage)
  await expect(classes.all(lasting())).rejects.toMatchObject(outage)
})
